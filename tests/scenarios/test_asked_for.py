"""What a scenario asks for of Lightning is no defect."""

import pytest


@pytest.mark.parametrize("name", ["progress_bar", "precision_mixed", "precision_double"])
def test_what_a_scenario_asks_for_is_no_defect(name, laboratory):
    tried = laboratory.run(f"asked_for/{name}/control@digits/ragged")
    assert tried.outcome.status == 0, tried.output
    assert [(each.checker, each.aggregate, each.message) for each in tried.unexpected] == []
    assert [each.verdict for each in tried.findings if each.checker == "aggregate"] == ["exact"]
