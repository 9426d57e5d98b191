"""One of several ranks is killed in any hook of an epoch: the others end, in time, and leave no process behind."""

import killing
import pytest
from killing import HOOKS, RANKS, TOLD, name_of

ON = "ranks/one_all_reduce/recommended@ranks/even"
NUMBER = 3


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("hook", HOOKS)
def test_the_others_end_and_none_is_left(laboratory, hook, rank):
    tried = laboratory.run(ON, f"{killing.__file__}:{name_of(hook, rank)}", ranks=NUMBER)
    outcome = tried.outcome
    assert (outcome.timed_out, outcome.left_behind, outcome.leftovers) == (False, 0, [])
    failure = tried.history.first("trial", "fail")
    assert failure.value["exception"] == "ProcessExitedException"
    assert f"process {rank} terminated with signal SIGKILL" in failure.value["message"]
    assert tried.output.count(TOLD) == 1
    assert {finding.verdict for finding in tried.findings if finding.checker == "aggregate"} == {"raised"}
