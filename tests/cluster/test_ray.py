"""Trials on a cluster of two nodes, which are two raylets on this machine, are those of one machine."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harness import catalog as catalogs
from harness.engine.engines import RAY, Where
from harness.errors import UsageError
from harness.faults.fault import NONE
from harness.faults.selection import Faults
from harness.findings import Finding
from harness.progress import Quiet
from harness.run import Request, Result, execute

ray = pytest.importorskip("ray", reason="Ray is an extra: pip install 'epoch-harness[ray]'")
from ray.cluster_utils import Cluster  # noqa: E402  # it is there now

FILTERS = (
    "epoch_end_hooks/*@digits/ragged", "strategies/plain_loop/*@digits/ragged",
    "epoch_end_reliability/lightning_hooks/*",
)  # fmt: skip
INTERRUPTED = Faults((NONE, "process.interrupt"))  # Ray's workers block the signal
INTERRUPTED_AT = 5  # of the trials that were judged
# The first trial on a node kills the raylet of it: its process is a descendant of that.
STRIKE = """
import os
from pathlib import Path

def strike():
    victim, process = Path({victim!r}), os.getpid()
    while process > 1:
        process = int(Path(f"/proc/{{process}}/stat").read_text().rpartition(")")[2].split()[1])
        if victim.exists() and process == int(victim.read_text()):
            victim.unlink()
            os.kill(process, 9)
"""

# Ray warns of what it will do in later versions, and leaves sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning")


class Told(Quiet):
    """Does something as soon as so many trials have been judged."""

    def __init__(self, then) -> None:
        self.judged_so_far, self.then = 0, then

    def judged(self, trial: str, unexpected: Sequence[Finding]) -> None:
        self.judged_so_far += 1
        if self.judged_so_far == INTERRUPTED_AT:
            self.then()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Of two nodes, with a processor each."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


def run(out: Path, where: Where, progress=None, prelude="") -> Result:
    request = Request(FILTERS, INTERRUPTED, device="cpu", where=where, prelude=prelude)
    return execute(catalogs.find(), request, out, progress or Quiet())


def of(cluster: Cluster) -> Where:
    return Where(RAY, cluster.address)


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Path:
    """The run of this machine's own engine."""
    out = tmp_path_factory.mktemp("local") / "run"
    run(out, Where())
    return out


@pytest.mark.slow
def test_findings_are_those_of_this_machine(cluster, here, tmp_path):
    result = run(tmp_path / "run", of(cluster))
    assert result.exit_code == 0
    assert result.retries == ()
    assert (tmp_path / "run/findings.jsonl").read_text() == (here / "findings.jsonl").read_text()
    assert len(list((tmp_path / "run/histories").iterdir())) == len(list((here / "histories").iterdir()))


@pytest.mark.slow
def test_what_a_dead_node_had_is_run_again_and_told(cluster, here, tmp_path):
    another = cluster.add_node(num_cpus=1)
    victim, prelude = tmp_path / "victim", tmp_path / "prelude.py"
    victim.write_text(str(another.all_processes["raylet"][0].process.pid))
    prelude.write_text(STRIKE.format(victim=str(victim)))
    result = run(tmp_path / "run", of(cluster), prelude=f"{prelude}:strike")
    assert not victim.exists()
    assert result.exit_code == 0
    assert result.retries
    assert [each["trial"] for each in result.directory.read_manifest()["retries"]] == [
        each.trial for each in result.retries
    ]
    assert (tmp_path / "run/findings.jsonl").read_text() == (here / "findings.jsonl").read_text()


@pytest.mark.slow
def test_an_interrupt_keeps_what_has_run(cluster, tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    result = run(tmp_path / "run", of(cluster), Told(interrupt))
    assert (result.interrupted, result.exit_code) == (True, 3)
    assert result.verdicts.trials == INTERRUPTED_AT
    assert not ray.is_initialized()


@pytest.mark.slow
def test_a_cluster_of_another_ray_is_refused(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(ray, "__version__", "2.0.0")
    with pytest.raises(UsageError, match=r"cannot join the cluster at .*[Vv]ersion"):
        run(tmp_path / "run", of(cluster))


@pytest.mark.slow
def test_one_that_is_started_here_ends_with_the_run(tmp_path):
    result = run(tmp_path / "run", Where(RAY))
    assert result.exit_code == 0
    assert not ray.is_initialized()
