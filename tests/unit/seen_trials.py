"""Trials as they were seen in an environment, written by hand: a short training with every observable in it."""

from collections.abc import Mapping
from pathlib import Path

from histories import Operations, batch, ended

from harness import counters
from harness.comparison.differences import Key
from harness.comparison.seen import Judged, Seen
from harness.findings import EpochVerdict
from harness.history.reader import History, Operation
from harness.history.recorder import Recorder

KEY = Key("a/mean/recommended", "digits/even", "none", "cpu,ranks=1,float32")
EPOCHS = 2
FIGURES = {"val_loss": 0.25, "val_acc": 0.5}


def training() -> Operations:
    """Two epochs, each of two batches to train on and one to validate on."""
    told = Operations()
    told.add("trial", "invoke")
    told.add("Trainer.fit", "invoke")
    told.add("configure_optimizers", "invoke")
    told.add("configure_optimizers", "ok")
    told.add("on_fit_start", "info", stage="train", epoch=0, step=0)
    told.add("weights", "info", {"crc32": 1}, stage="train", epoch=0, step=0)
    told.add("generators", "info", {"torch": "00", "numpy": "0a", "python": "0b"}, stage="train", epoch=0, step=0)
    told.add("warning", "info", {"category": "UserWarning", "message": "few workers in /home/me/a.py", "where": "a.py"})
    for epoch in range(EPOCHS):
        _epoch(told, epoch)
    told.add("on_fit_end", "info", stage="train", epoch=EPOCHS, step=2 * EPOCHS)
    told.add("Logger.finalize", "invoke", stage="train", epoch=EPOCHS, step=2 * EPOCHS)
    told.add("Logger.finalize", "ok", {"status": "success"}, stage="train", epoch=EPOCHS, step=2 * EPOCHS)
    returned = {
        "global_step": 4,
        "current_epoch": 2,
        "should_stop": False,
        "status": "finished",
        "callback_metrics": FIGURES,
        "logged_metrics": ["val_acc", "val_loss"],
        "progress_bar_metrics": ["val_loss"],
        "checkpoints": [{"best_model_path": "epoch=1.ckpt", "best_model_score": 0.25, "last_model_path": ""}],
        "files": ["epoch=0.ckpt", "epoch=1.ckpt"],
    }
    told.add("Trainer.fit", "ok", returned)
    told.add("Trainer.test", "ok", {"global_step": 4, "returned": [{"test_loss": 0.25}, {"test_loss": 0.5}]})
    told.add("Trainer.predict", "ok", {"global_step": 4, "returned": ["tensor of shape (2,)", 1.5]})
    told.add("record", "info", {"lines": ["epoch 0: val_loss 0.25"]})
    told.add("trial", "ok")
    told.add("exit", "info", ended())
    return told


def _epoch(told: Operations, epoch: int) -> None:
    at = {"stage": "train", "epoch": epoch, "step": 2 * epoch}
    told.add("on_train_epoch_start", "invoke", **at)
    told.add("loader", "info", {"loader": 0}, **at)
    told.add("learning_rate", "info", [[0.1 / 2**epoch]], **at, batch=0)
    for number in range(2):
        here = {**at, "step": 2 * epoch + number, "batch": number}
        told.add("batch", "invoke", **here)
        told.add("log", "info", {"name": "train_loss", "value": 1.5 + number}, **here)
        told.add("batch", "ok", batch((4 * epoch + 2 * number, 4 * epoch + 2 * number + 1), epoch), **here)
    told.add("metric_state", "ok", {"moment": "after", "updates": {"accuracy": 2}}, **here)
    if epoch == EPOCHS - 1:
        told.add("counters", "info", {"python_calls": 1000, "held_bytes": 64}, **here)
    at = {"stage": "validation", "epoch": epoch, "step": 2 * epoch + 2}
    told.add("on_validation_epoch_start", "info", **at)
    told.add("loader", "info", {"loader": 0}, **at)
    told.add("batch", "invoke", **at, batch=0)
    told.add("batch", "ok", batch((90, 91), epoch), **at, batch=0)
    told.add("EpochLog.on_validation_epoch_end", "info", **at)
    told.add("logger", "ok", {"step": 2 * epoch + 1, "epoch": epoch, "metrics": FIGURES}, **at)
    told.add("progress_bar", "info", {"val_loss": 0.25}, **at)
    told.add("callback_metrics", "ok", FIGURES, **at)
    told.add("checkpoint", "invoke", {"file": f"epoch={epoch}.ckpt"}, **at)
    told.add("checkpoint", "ok", {"file": f"epoch={epoch}.ckpt"}, **at)
    at = {"stage": "train", "epoch": epoch, "step": 2 * epoch + 2}
    told.add("on_train_epoch_end", "info", **at)
    told.add("weights", "info", {"crc32": 2 + epoch}, **at)
    told.add("generators", "info", {"torch": f"1{epoch}", "numpy": "0a", "python": "0b"}, **at)


def history(operations: Operations, t_ns: int = 0, process: int = 7) -> History:
    return History(
        tuple(
            Operation(
                line=line,
                f=str(each["f"]),
                type=str(each["type"]),
                value=each["value"],
                fault=None,
                t_ns=t_ns + line,
                process=process,
                rank=each.get("rank", 0),  # type: ignore[arg-type]
                **{name: each.get(name) for name in ("stage", "epoch", "step", "batch")},  # type: ignore[arg-type]
            )
            for line, each in enumerate(operations, 1)
        )
    )


def figure(verdict: str = "exact", *observed: float | None, bound: float = 0.01, message: str = "") -> Judged:
    """What is said of one aggregate, with what was observed in each epoch."""
    epochs = {
        (epoch, 0): EpochVerdict(epoch, verdict, value, truth=0.25, bound=bound, evidence=(epoch + 1,))
        for epoch, value in enumerate(observed or (0.25, 0.25))
    }
    return Judged(verdict, message, epochs)


AS_IT_SHOULD_BE = {
    ("aggregate", "val_loss"): figure(),
    ("hook", "on_train_epoch_end"): Judged("ok", "", {}),
    ("samples", "train"): Judged("ok", "", {}),
}


def trial(
    operations: Operations | None = None,
    findings: Mapping[tuple[str, str], Judged] | None = None,
    key: Key = KEY,
    process: int = 7,
) -> Seen:
    """A trial with this history and these findings besides the usual ones."""
    read = history(training() if operations is None else operations, process=process)
    return Seen(key, AS_IT_SHOULD_BE | dict(findings or {}), read, counters.count(read))


def write(path: Path, operations: Operations) -> None:
    """As a trial leaves it."""
    recorder = Recorder(path)
    for each in operations:
        recorder.write(**each)  # type: ignore[arg-type]
    recorder.close()
