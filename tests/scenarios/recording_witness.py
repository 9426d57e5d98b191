"""Trains every scenario with and without recording, and prints what each training run did, as JSON.

Runs in a process of its own: a test process that imports a framework turns that framework's warnings into
errors. What is witnessed is taken from Lightning's own dispatch, beneath anything that recording attaches.
"""

import contextlib
import hashlib
import inspect
import json
import logging
import platform
import shutil
import sys
import tempfile
import warnings
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import torch

from harness import catalog, scenario_files
from harness.environment import Environment
from harness.frameworks import lightning
from harness.frameworks.lightning_package import NAME, pl
from harness.frameworks.lightning_recording import CALLBACK_HOOKS
from harness.history.recorder import Recorder
from harness.workloads import library

# Of those that validate beside training, two that copy the module, and one thing at a time can be seen of.
COPYING = ["parallel_validation/live_weights/control", "parallel_validation/fork_per_epoch/recommended"]
OBSERVED = Path(__file__).with_name("scenario_observed.py")
ASKED = ["fit", "validate", "test", "predict", "save_checkpoint"]


def watch_dispatch(calls):
    """Note every module hook that Lightning dispatches, under 1.9's and 2.x's private names for that."""
    owner = pl.Trainer if hasattr(pl.Trainer, "_call_lightning_module_hook") else import_module(f"{NAME}.trainer.call")
    dispatch = owner._call_lightning_module_hook

    def noted(trainer, hook, *args, **kwargs):
        module = trainer.lightning_module
        calls.append((hook, callable(getattr(module, hook, None))))
        return dispatch(trainer, hook, *args, **kwargs)

    owner._call_lightning_module_hook = noted


def watched(callbacks, calls):
    """Note every call of a hook that a callback's own class defines."""
    for callback in callbacks:
        for name in CALLBACK_HOOKS:
            if getattr(type(callback), name) is not getattr(pl.Callback, name):
                setattr(callback, name, noting(getattr(callback, name), type(callback).__name__, name, calls))
    return callbacks


def noting(inner, owner, name, calls):
    def hook(trainer, *args, **kwargs):
        calls.append((f"{owner}.{name}", trainer.current_epoch))
        return inner(trainer, *args, **kwargs)

    return hook


def train(scenario, workload, recorder, calls):
    calls.clear()
    for module in [*sys.modules.values()]:  # what Lightning warns of once in a process
        if isinstance(told := vars(module).get("warning_cache"), (set, dict)):
            told.clear()
    callbacks = scenario.callbacks
    scenario = replace(scenario, callbacks=lambda: watched(list(callbacks()), calls))
    trainers = []
    fit = pl.Trainer.fit

    def noted(trainer, *args, **kwargs):
        trainers.append(trainer)
        return fit(trainer, *args, **kwargs)

    noted.__signature__ = inspect.signature(fit)
    pl.Trainer.fit = noted
    error = ""
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            lightning.run(scenario, workload, "cpu", 0, recorder)
        except Exception as raised:  # noqa: BLE001  # some are expected to raise: then with and without recording alike
            error = f"{type(raised).__name__}: {raised}"
        finally:
            pl.Trainer.fit = fit
    weights = hashlib.sha256()
    for trainer in trainers:
        if trainer.lightning_module is not None:
            for tensor in trainer.lightning_module.state_dict().values():
                weights.update(tensor.numpy().tobytes())
    return {
        "error": error,
        "hooks": list(calls),
        "weights": weights.hexdigest(),
        "random": hashlib.sha256(torch.random.get_rng_state().numpy().tobytes()).hexdigest(),
        "metrics": {
            name: float(value) for trainer in trainers for name, value in sorted(trainer.callback_metrics.items())
        },
        "warnings": [f"{each.filename}:{each.lineno}: {each.category.__name__}: {each.message}" for each in shown],
        "signatures": [str(inspect.signature(getattr(trainer, name))) for trainer in trainers for name in ASKED],
        "files": {str(path): digest(path) for path in Path().rglob("*") if path.is_file()},
    }


def digest(path):
    """Of its lines in any order: several ranks write to the same file."""
    return hashlib.sha256(b"".join(sorted(path.read_bytes().splitlines()))).hexdigest()


def train_in(folder, *args):
    """In a folder that holds nothing else; always of the same name, since checkpoints hold paths."""
    folder.mkdir()
    with contextlib.chdir(folder):
        witnessed = train(*args)
    shutil.rmtree(folder)
    return witnessed


def main():
    warnings.simplefilter("ignore")
    logging.disable()
    torch.set_num_threads(1)
    calls = []
    watch_dispatch(calls)
    witnessed = {}
    packages = {"pytorch-lightning": pl.__version__, "torch": torch.__version__}
    here = Environment({"python": platform.python_version(), "packages": packages})
    with tempfile.TemporaryDirectory() as folder:
        found = catalog.find()
        found.add(scenario_files.locator_of(OBSERVED))
        for scenario in found.select(["epoch_*", "training_loop/hooks/*", "observed/*", *COPYING]):
            if scenario.framework != "lightning" or here.unmet(scenario.needs):
                continue
            name = "diabetes/ragged" if "diabetes" in scenario.workloads[0] else "digits/ragged"
            workload = library.build(name, 0)
            recorder = Recorder(Path(folder, scenario.id.replace("/", ".")))
            witnessed[scenario.id] = {
                "plain": train_in(Path(folder, "work"), scenario, workload, None, calls),
                "recorded": train_in(Path(folder, "work"), scenario, workload, recorder, calls),
            }
    json.dump(witnessed, sys.stdout)


if __name__ == "__main__":
    main()
