"""Validation on a Ray cluster comes to the figures of sequential validation, to the bit, whatever dies meanwhile."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mishaps import BATCH, TRAINING, Mishap
from trying import reasons, tried

from harness.parallel import ParallelValidation, ValidationFailed
from harness.parallel.refusals import CannotValidateInParallel
from tests.parallel.comparing import EPOCHS, Module, assert_same, compare, train
from tests.parallel.test_same_figures import Average

ray = pytest.importorskip("ray", reason="Ray is an extra: pip install 'epoch-harness[ray]'")
from ray.cluster_utils import Cluster  # noqa: E402  # it is there now

OnRay = partial(ParallelValidation, start_method="ray")
# A script as people write them: its module is in no module, and depends on Python's own random numbers.
SCRIPT = """
import os, random, signal
from comparing import Module, assert_same, train
from harness.frameworks.process_use import descendants
from harness.parallel import ParallelValidation

class Drawing(Module):
    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) * random.random()

def trained(callbacks):
    random.seed(0)
    return train(Drawing, callbacks)

before = signal.getsignal(signal.SIGTERM), os.environ.get("PYTHONBREAKPOINT")
validation = ParallelValidation(start_method="ray", workers=2)
assert_same(trained([]), trained([validation]))
assert {outcome.status for outcome in validation.outcomes} == {"ok"}
assert before == (signal.getsignal(signal.SIGTERM), os.environ.get("PYTHONBREAKPOINT"))
assert descendants() == []
"""

# Ray warns of what it will do in later versions, and leaves sockets to the garbage collector.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning"),
]


class Dies(Module):
    """In the validation of epoch 1, so often, its worker dies, or the actor that keeps it, or the node of both."""

    def __init__(self, what: str, folder: Path, times: int = 1) -> None:
        super().__init__()
        self.what, self.marks = what, [str(folder / str(time)) for time in range(times)]

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        super().validation_step(batch, batch_idx)
        left = [mark for mark in self.marks if not os.path.exists(mark)]
        if self.current_epoch == 1 and left:
            os.close(os.open(left[0], os.O_CREAT | os.O_EXCL))
            actor = os.getppid()
            os.kill({"worker": os.getpid(), "actor": actor, "node": parent_of(actor)}[self.what], signal.SIGKILL)
            threading.Event().wait()


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    """That this process has joined; a node of it has room for two workers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("node")))  # where a node that is killed leaves a folder
        patch.setenv("RAY_TMPDIR", tempfile.gettempdir())  # whose path is short
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        cluster.add_node(num_cpus=2)
        ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
        yield cluster
        ray.shutdown()
        cluster.shutdown()


@pytest.mark.parametrize(("module", "workers"), [(Average, 1), (Module, 2)])
def test_figures_and_weights_are_those_of_sequential_validation(cluster, module, workers):
    validation = OnRay(workers=workers)
    compare(validation, module=module)
    assert [outcome.status for outcome in validation.outcomes] == ["ok"] * EPOCHS
    assert ray.is_initialized(), "it was joined before"


@pytest.mark.parametrize(
    ("what", "how"),
    [("worker", "was killed by SIGKILL"), ("actor", "was lost: The actor is dead"), ("node", "was lost")],
)
def test_what_dies_is_noticed_and_its_epoch_begun_again(cluster, tmp_path, what, how):
    if what == "node":
        cluster.add_node(num_cpus=2)
    validation = OnRay()
    assert_same(train(), train(partial(Dies, what, tmp_path), [validation]))
    assert [outcome.tries for outcome in validation.outcomes] == [1, 2, 1, 1]
    (death,) = validation.deaths
    assert death.how.startswith(how)


def test_what_dies_too_often_is_left_out(cluster, tmp_path):
    validation = OnRay(on_failure="continue", retries=0)
    with pytest.warns(RuntimeWarning, match="validation of epoch 1 failed: its worker was killed by SIGKILL"):
        train(partial(Dies, "worker", tmp_path), [validation])
    assert [outcome.status for outcome in validation.outcomes] == ["ok", "failed", "ok", "ok"]


def test_what_dies_too_often_ends_training(cluster, tmp_path):
    validation = OnRay()
    with pytest.raises(ValidationFailed, match=r"its worker was lost: The actor is dead because.*, 2 times"):
        train(partial(Dies, "actor", tmp_path, 2), [validation])
    assert validation.worker_pids == []


def test_ctrl_c_leaves_nothing(observer):
    seen = tried(
        observer, Mishap(BATCH, "hang", 0), Mishap(TRAINING, "interrupt", 2, after=1), options={"start_method": "ray"}
    )
    assert reasons(seen) == dict.fromkeys((0, 1), "training was ended by KeyboardInterrupt")
    assert seen.one("children") == 0


def test_more_workers_than_there_is_room_for_are_refused(cluster):
    with pytest.raises(CannotValidateInParallel, match="workers=9 need 18 CPU of the Ray cluster, and it has"):
        train(callbacks=[OnRay(workers=9, threads=2)])


def test_nothing_is_left_of_a_cluster_that_is_started_for_it(tmp_path):
    script, temporary = tmp_path / "script.py", tmp_path / "tmp"
    script.write_text(SCRIPT)
    temporary.mkdir()
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    subprocess.run(
        [sys.executable, str(script)], check=True, env={**environment, "PYTHONPATH": path, "TMPDIR": str(temporary)}
    )
    assert list(temporary.iterdir()) == []
