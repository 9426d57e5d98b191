"""How much busy work is a given share of a training step, on the machine that it is for."""

import subprocess
from pathlib import Path
from statistics import median

from interpreter import planted_interpreter

from harness import catalog
from harness.engine.trial import Trial
from harness.upgrade import timing

# Logs one figure in every step.
LOGGED = "strategies/log_on_epoch/control"
ROUNDS = 9
# Of which what else the machine does takes no part.
BY_PROCESSOR_TIME = "import time; time.perf_counter = time.process_time"
TURNS = 2_000_000
# The loop of `costly.busy`, in a function as there.
LOOP = f"""
import gc, time
def loop(turns):
    for _ in range(turns):
        pass
gc.disable()
loop({TURNS})
begun = time.process_time()
loop({TURNS})
print(time.process_time() - begun)
"""


def turns_of(share: float, python: str, folder: Path) -> int:
    """How many turns of an empty loop take so much of a step of `LOGGED`.

    A step and a turn are timed next to each other, in processes of the same interpreter and in seconds of the
    processor, and the ratio is the median of several pairs. Turns, not seconds, are what is planted: so the work is the
    same in every call, and is slowed down by whatever slows a step down.
    """
    trial = Trial(LOGGED, catalog.find().scenarios[LOGGED].locator, "lightning", "digits/even", "cpu", 0)
    ratios = []
    timed = str(planted_interpreter(folder / "by_processor_time", BY_PROCESSOR_TIME, python))
    with timing.sampling(timed, timed, folder, seed=0) as sample:
        for _ in range(ROUNDS):
            step_s = min(sample([timing.BASELINE], trial)[timing.BASELINE])
            looped = subprocess.run([python, "-c", LOOP], check=True, capture_output=True, text=True)
            ratios.append(step_s * TURNS / float(looped.stdout))
    return round(share * median(ratios))
