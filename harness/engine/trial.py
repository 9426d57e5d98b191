"""What a trial is, and how it runs inside its own process.

Imported by the warm parent, in whatever environment is under test: standard library and NumPy only, until
the framework's adapter is loaded.
"""

import importlib
import json
import os
import sys
import traceback
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness import scenario_files
from harness.engine import place
from harness.faults.fault import NONE, Fault
from harness.faults.injector import Injector
from harness.history.recorder import Recorder, drop_cut_off_line
from harness.workloads.workload import Workload

ADAPTERS = {
    "lightning": "harness.frameworks.lightning",
    "keras": "harness.frameworks.keras",
    "torch": "harness.frameworks.torch_loop",
}


@dataclass(frozen=True)
class Trial:
    """One scenario on one workload, under one fault, in one placement.

    Attributes:
        locator: the module or file that declares the scenario.
        prelude: `FILE.py:FUNCTION`, called in the trial's process before anything else; it is how the
            harness's own tests plant bugs. Empty for none.
        measure: what to measure instead of recording; empty for an ordinary trial.
        fault: the name of the schedule of `faults`.
        record: the file of its own that the scenario keeps, in the folder that it works in; empty for none.
        resumed: a process of it that dies is followed by another, in the same folder.
        limit_s: seconds that it may take, if that is less than what any trial may; None if it is not.
    """

    scenario: str
    locator: str
    framework: str
    workload: str
    device: str
    seed: int
    fault: str = NONE
    faults: tuple[Fault, ...] = ()
    prelude: str = ""
    precision: str = "float32"
    ranks: int = 1
    measure: str = ""
    record: str = ""
    resumed: bool = False
    limit_s: float | None = None

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Trial":
        return replace(Trial(**data), faults=tuple(Fault(**fault) for fault in data["faults"]))

    @property
    def placement(self) -> str:
        return f"{self.device},ranks={self.ranks},{self.precision}"

    @property
    def most_processes(self) -> int:
        """That there may be, one after the other: one for every fault that may end one."""
        return 1 + (len(self.faults) if self.resumed else 0)

    @property
    def processes(self) -> int:
        """How many there are that share an epoch, batch by batch; replicas of Keras share each batch."""
        return 1 if self.framework == "keras" else self.ranks

    @property
    def id(self) -> str:
        """Fit for a file name, and the same in every run."""
        device = self.device if self.ranks == 1 else f"{self.device}x{self.ranks}"
        parts = [self.scenario, self.workload, self.fault, device]
        return "--".join(part.replace("/", ".") for part in parts)


def run(trial: Trial, workload: str, history: str) -> bool:
    """Run in this process; return whether it ended without an exception.

    Args:
        workload: path of the workload's arrays.
        history: path of the history to append to.
    """
    fired = _fired(trial, history)
    recorder = Recorder(history)
    recorder.write("trial", "invoke", asdict(trial))
    try:
        _run_prelude(trial.prelude)
        adapter = importlib.import_module(ADAPTERS[trial.framework])
        scenarios, _ = scenario_files.load(trial.locator)
        declared = next(candidate for candidate in scenarios if candidate.id == trial.scenario)
        scenario = replace(declared, ranks=trial.ranks)
        data = Workload.load(workload)
        if trial.measure:
            adapter.measure(scenario, data, trial.device, trial.seed, trial.measure, recorder)
        else:
            injector = Injector(trial.faults, recorder, fired) if trial.faults else None
            adapter.run(scenario, data, trial.device, trial.seed, recorder, injector)
    except BaseException as error:  # noqa: BLE001  # also SystemExit and Ctrl-C: what ends a trial is its result
        recorder.write("trial", "fail", describe(error))
        traceback.print_exc()
        return False
    recorder.write("trial", "ok")
    return True


def _fired(trial: Trial, history: str) -> list[Fault]:
    """The faults that fired in processes of the trial before this one."""
    if not trial.resumed or not os.path.exists(history):
        return []
    drop_cut_off_line(Path(history))
    with open(history, encoding="ascii") as file:
        operations = [json.loads(line) for line in file]
    seen = {tuple(each[key] for key in ("fault", "stage", "epoch", "batch")) for each in operations}
    return [each for each in trial.faults if (each.name, each.stage, each.epoch, each.batch) in seen]


def describe(error: BaseException) -> dict[str, str]:
    """Type, message and place of an exception, for a history."""
    message = place.without_stacks(str(error))
    return {"exception": type(error).__name__, "message": message, "where": place.of_exception(error)}


def _run_prelude(prelude: str) -> None:
    if not prelude:
        return
    path, _, function = prelude.rpartition(":")
    namespace: dict[str, Any] = {"__name__": "prelude", "__file__": path}
    exec(compile(Path(path).read_text(encoding="utf-8"), path, "exec"), namespace)
    namespace[function]()


def main() -> None:
    """`python -m harness.engine.trial '{"trial": …, "workload": …, "history": …}'`: one trial, nothing warm."""
    request = json.loads(sys.argv[1])
    ok = run(Trial.from_json(request["trial"]), request["workload"], request["history"])
    os._exit(0 if ok else 1)


if __name__ == "__main__":
    main()
