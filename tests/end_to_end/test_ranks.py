"""A run on several ranks, as a user sees it: what is given out twice is named, what is recommended is exact, and claims
wait for the number of ranks that their scenarios declare."""

import pytest

from harness.run_directory import RunDirectory


@pytest.fixture(scope="module")
def on_ranks(epoch_harness, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks") / "run"
    filters = ["epoch_averaging/padded*@ranks/padded", "epoch_averaging/sync_dist/*@digits/even"]
    ran = epoch_harness("run", *filters, "--ranks", "1,3", "--device", "cpu", "--out", folder)
    return ran, RunDirectory.open(folder)


def of_ranks(run, ranks, checker):
    return [each for each in run.read_findings() if f"ranks={ranks}," in each.placement and each.checker == checker]


def test_all_is_as_expected(on_ranks):
    ran, run = on_ranks
    assert ran.code == 0, ran.out
    assert run.read_manifest()["arguments"]["ranks"] == [1, 3]


def test_what_is_given_out_twice_is_named_with_its_rank(on_ranks):
    _, run = on_ranks
    told = [each.message for each in of_ranks(run, 3, "samples") if each.aggregate == "validation, each once"]
    assert len(told) == 4
    assert all("epoch 0: given out once more: 1 samples (" in message for message in told)
    assert all(") on rank 1; " in message and ") on rank 2; " in message for message in told)


def test_on_ranks_what_is_recommended_is_exact_and_rank_zero_alone_is_not(on_ranks):
    _, run = on_ranks
    verdicts = {}
    for each in of_ranks(run, 3, "aggregate"):
        verdicts.setdefault(each.scenario, set()).add(each.verdict)
    assert verdicts["epoch_averaging/padded_one_all_reduce/recommended"] == {"exact"}
    assert verdicts["epoch_averaging/padded_logged/control"] == {"biased"}


def test_every_rank_is_found_to_have_run(on_ranks):
    _, run = on_ranks
    found = of_ranks(run, 3, "ranks")
    assert {each.aggregate for each in found} == {"rank 0", "rank 1", "rank 2"}
    assert {each.verdict for each in found} == {"ok"}
    assert of_ranks(run, 1, "ranks") == []


def test_claims_are_decided_on_as_many_ranks_as_are_declared(on_ranks):
    """On one rank `sync_dist` matters as little as can be; document 001 speaks of several."""
    _, run = on_ranks
    verdicts = {claim["claim"]: claim["verdict"] for claim in run.read_claims()}
    assert verdicts["001.sync-dist-matters"] == "undecided"
