"""One of several ranks is killed, raises or is never through, in any hook of an epoch: the others end, in time, say
why, and leave no process behind."""

import pytest
import striking
from striking import HOOKS, RANKS, TOLD, fail, kill, lag, name_of

ON = "ranks/one_all_reduce/recommended@ranks/even"
NUMBER = 3
LIMIT_S = 10.0


@pytest.fixture
def struck(laboratory):
    """The trial in which a rank is; no file is left of it."""

    def run(hook, rank, what, limit_s=None):
        tried = laboratory.run(ON, f"{striking.__file__}:{name_of(hook, rank, what)}", ranks=NUMBER, limit_s=limit_s)
        assert tried.output.count(TOLD) == 1
        assert tried.outcome.leftovers == []
        return tried

    return run


def verdicts(tried):
    return {finding.verdict for finding in tried.findings if finding.checker == "aggregate"}


def failure(tried):
    return tried.history.first("trial", "fail").value


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("hook", HOOKS)
def test_a_rank_that_is_killed_ends_the_others(struck, hook, rank):
    tried = struck(hook, rank, kill)
    assert failure(tried)["exception"] == "ProcessExitedException"
    assert f"process {rank} terminated with signal SIGKILL" in failure(tried)["message"]
    assert verdicts(tried) == {"raised"}
    assert (tried.outcome.timed_out, tried.outcome.left_behind) == (False, 0)


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("hook", ["on_train_batch_start", "on_validation_end"])
def test_a_rank_that_raises_ends_the_others_which_say_what(struck, hook, rank):
    tried = struck(hook, rank, fail)
    assert failure(tried)["exception"] == "ProcessRaisedException"
    assert "ArithmeticError: of this rank" in failure(tried)["message"]
    assert verdicts(tried) == {"raised"}
    assert (tried.outcome.timed_out, tried.outcome.left_behind) == (False, 0)


@pytest.mark.parametrize("rank", RANKS)
def test_a_rank_that_is_never_through_is_ended_at_the_limit_with_the_others(struck, rank):
    tried = struck("on_train_batch_end", rank, lag, LIMIT_S)
    assert (tried.outcome.timed_out, tried.outcome.left_behind) == (True, NUMBER)  # which are ended, and counted
    assert verdicts(tried) == {"unknown"}
    assert {operation.rank for operation in tried.history.operations} == set(range(NUMBER))
    (process,) = (finding for finding in tried.findings if finding.checker == "process")
    assert f"did not end within {LIMIT_S} s" in process.message
