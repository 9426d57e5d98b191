"""Options of `epoch-harness bench` that do not go together, told before anything is measured."""

import pytest
from click.testing import CliRunner

from harness.cli import cli

OVERLAP = "parallel_validation/*"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([OVERLAP, "--batches", "8"], "leave out --batches"),
        ([OVERLAP, "--jobs", "1"], "leave out --jobs"),
        ([OVERLAP, "--short", "--rounds", "2"], "leave out --rounds"),
        ([OVERLAP, "--short", "--train-seconds", "2"], "leave out --train-seconds"),
        (["--short", "--rounds", "2"], "leave out --rounds"),
        (["strategies/*", "--short", "--batches", "8"], "leave out --batches"),
        (["--load", "real"], "leave out --load"),
        (["strategies/bare_loop/*", OVERLAP], "ask for one, then the other"),
        ([OVERLAP, "--load", "heavy"], "heavy"),
        ([OVERLAP, "--train-seconds", "0"], "0"),
        ([OVERLAP, "--out", __file__], "name another folder with --out"),
    ],
)
def test_bad_usage(arguments: list[str], told: str) -> None:
    raised = CliRunner().invoke(cli, ["bench", *arguments], standalone_mode=False).exception
    assert raised is not None
    assert getattr(raised, "exit_code", None) == 2
    assert told in str(raised)
