"""Every job becomes one outcome, whatever becomes of the process that evaluates it."""

import os
import signal
import subprocess
import sys
from contextlib import closing, contextmanager
from multiprocessing.connection import wait
from pathlib import Path

import evaluators
import pytest

from harness.parallel.sidecar import Job, Sidecar

SOON_S = 60.0  # nothing here takes that long; it ends a test that would hang
LONG_S = 1.0  # to evaluate what does not hang takes a thousandth of it


def outcomes(folder, *texts, make=evaluators.figures_in_the_file, drain_limit=SOON_S, **arguments):
    """Of jobs whose files read so, with no file left."""
    sidecar = Sidecar(make, folder, **{"retries": 1, "time_limit": SOON_S, "latest": False, **arguments})
    with closing(sidecar):
        sidecar.start()
        for epoch, text in enumerate(texts):
            sidecar.submit(job(folder, epoch, text))
        sidecar.drain(drain_limit)
        found = sidecar.finished()
    assert [each.epoch for each in found] == list(range(len(texts)))
    assert not list(folder.glob("*.weights"))
    return found


def job(folder, epoch, text):
    path = folder / f"{epoch}.weights"
    path.write_text(text)
    return Job(epoch, step=10 * epoch, weights=path, digest="")


def statuses(found):
    return [each.status for each in found]


def test_figures_come_back_with_their_epoch_and_step(tmp_path):
    found = outcomes(tmp_path, "2.5", "3.5")
    assert [(each.epoch, each.step, each.status, each.metrics) for each in found] == [
        (0, 0, "ok", {"loss": 2.5}),
        (1, 10, "ok", {"loss": 3.5}),
    ]


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("raises", "failed", "ValueError: not a number"),
        ("killed", "failed", "the process that validated it was killed by signal 9 (2 times)"),
        ("leaves", "failed", "the process that validated it left with exit status 3 (2 times)"),
        ("of another epoch", "failed", "the weights that were evaluated are not those of the epoch"),
    ],
)
def test_what_goes_wrong_is_that_epochs_alone(text, status, reason, tmp_path):
    found = outcomes(tmp_path, "1", text, "2")
    assert statuses(found) == ["ok", status, "ok"]
    assert found[1].reason == reason
    assert found[1].metrics == {}


def test_an_epoch_whose_process_died_is_given_to_another(tmp_path):
    (found,) = outcomes(tmp_path, "1", make=evaluators.of_a_fresh_process)
    assert (found.metrics, found.tries) == ({"loss": 1.0}, 2)


def test_no_other_process_is_tried_where_none_is_wanted(tmp_path):
    (found,) = outcomes(tmp_path, "1", make=evaluators.of_a_fresh_process, retries=0)
    assert found.reason == "the process that validated it was killed by signal 9 (1 times)"


def test_one_that_hangs_has_timed_out_and_the_next_is_evaluated(tmp_path):
    found = outcomes(tmp_path, "hangs", "2", time_limit=LONG_S)
    assert statuses(found) == ["timed out", "ok"]


def test_what_is_not_done_at_the_deadline_has_timed_out(tmp_path):
    found = outcomes(tmp_path, "hangs", "2", drain_limit=0.0)
    assert statuses(found) == ["timed out", "timed out"]
    assert found[0].reason == "not done 0.0 s after the end of training"


def test_a_process_that_cannot_be_made_ready_says_why(tmp_path):
    found = outcomes(tmp_path, "1", "2", make=evaluators.no_evaluator)
    assert {each.reason for each in found} == {"cannot be started: RuntimeError: no data here"}


def test_a_large_result_blocks_nobody(tmp_path):
    (found,) = outcomes(tmp_path, "large")
    assert len(found.metrics["text"]) == 2**23


def test_only_the_newest_of_those_that_wait_is_evaluated(tmp_path):
    """All are submitted before the process is ready."""
    sidecar = Sidecar(evaluators.figures_in_the_file, tmp_path, retries=0, time_limit=SOON_S, latest=True)
    for epoch in range(3):
        sidecar.submit(job(tmp_path, epoch, "1"))
    with closing(sidecar):
        sidecar.start()
        sidecar.drain(SOON_S)
        assert statuses(sidecar.finished()) == ["skipped", "skipped", "ok"]


def test_closed_it_skips_what_is_left_and_leaves_no_process(tmp_path):
    sidecar = Sidecar(evaluators.figures_in_the_file, tmp_path, retries=0, time_limit=None, latest=False)
    sidecar.start()
    process = os.pidfd_open(sidecar.process)
    sidecar.submit(job(tmp_path, 0, "hangs"))
    sidecar.submit(job(tmp_path, 1, "1"))
    sidecar.close()
    assert statuses(sidecar.finished()) == ["skipped", "skipped"]
    assert wait([process], 0), "it still runs"
    os.close(process)


def test_what_cannot_be_pickled_is_refused_at_the_start(tmp_path):
    sidecar = Sidecar(lambda: None, tmp_path, retries=0, time_limit=None, latest=False)
    with pytest.raises(TypeError, match="cannot be sent to another process"):
        sidecar.start()
    sidecar.close()


SCRIPT = """
import sys
from pathlib import Path
import evaluators
from harness.parallel.sidecar import Job, Sidecar

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    sidecar = Sidecar(evaluators.figures_in_the_file, folder, retries=0, time_limit=None, latest=False)
    sidecar.start()
    (folder / "0.weights").write_text(sys.argv[2])
    sidecar.submit(Job(0, 0, folder / "0.weights", ""))
    print(sidecar.process, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def started_by_a_script(tmp_path):
    """A function: a script that starts a process, and that process as a file that is readable once it has ended."""
    script, folder = tmp_path / "script.py", tmp_path / "weights"
    script.write_text(SCRIPT)
    folder.mkdir()
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])

    @contextmanager
    def start(doing):
        with subprocess.Popen(
            [sys.executable, str(script), str(folder), doing],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path},
        ) as starter:  # fmt: skip
            process = os.pidfd_open(int(starter.stdout.readline()))
            yield starter, process
            os.close(process)

    return start


@pytest.mark.parametrize("doing", ["hangs", "1"])
def test_it_ends_when_the_process_that_started_it_is_killed(doing, started_by_a_script, tmp_path):
    """And removes the files, which nobody else will."""
    with started_by_a_script(doing) as (starter, process):
        starter.send_signal(signal.SIGKILL)
        assert wait([process], SOON_S), "it still runs"
        assert not (tmp_path / "weights").exists()


def test_it_ends_with_a_script_that_does_not_close_it(started_by_a_script):
    with started_by_a_script("hangs") as (starter, process):
        starter.stdin.close()
        assert starter.wait(SOON_S) == 0
        assert wait([process], 0), "it still runs"


def test_no_framework_is_imported_for_it():
    """Whoever trains with Keras need not have Lightning, and the process starts at once."""
    asked = "import sys, harness.parallel.sidecar; print({'torch', 'keras', 'tensorflow'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
