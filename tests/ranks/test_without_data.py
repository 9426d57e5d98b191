"""A rank without data is refused where there is another, and nowhere else."""

import pytest

ON = "ranks/without_data/control@ranks/none_on_some"


@pytest.mark.parametrize(("ranks", "verdict"), [(1, "exact"), (2, "raised"), (3, "raised")])
def test_a_rank_without_data_is_refused(laboratory, ranks, verdict):
    tried = laboratory.run(ON, ranks=ranks)
    assert not tried.unexpected
    assert [finding.verdict for finding in tried.findings if finding.checker == "aggregate"] == [verdict]
    if verdict == "raised":
        assert "`DataLoader` within local rank has zero length" in tried.history.first("trial", "fail").value["message"]
