"""What `--help` says besides what a command is and its options: examples, and what exit codes mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

COMMAND = "epoch-harness"
BAD_USAGE, FAILED = "bad usage", "the harness, its environment or the disk failed; what was written is kept"


@dataclass(frozen=True)
class Help:
    """Of one command.

    Attributes:
        short: what it is for, in the list of all.
        examples: what it does, and the call that does it.
        codes: what it exits with, besides 2 and 4, which mean the same everywhere.
    """

    short: str
    examples: Sequence[tuple[str, str]]
    codes: Mapping[int, str]


_COMPARED = {
    0: "no regression", 1: "a regression: a change of a class that --fail-on names",
    3: "something could not be decided, or it was interrupted",
}  # fmt: skip
# In the order in which one comes to need them.
HELP = {
    "list": Help(
        "What scenarios there are, and which can run here.",
        (("of one document", "list 'strategies/*'"), ("every workload, fault and claim by name", "list --json")),
        {0: "they are listed"},
    ),
    "run": Help(
        "Run scenarios, judge them, and write a report.",
        (
            ("some scenarios, on some workloads", "run 'epoch_averaging/*@digits/ragged'"),
            ("on batches of your own", "run '*@digits/train=7x32+5,validation=1'"),
            ("a scenario of your own", "run my_scenario.py --out out/"),
            ("under some of its faults", "run 'epoch_end_reliability/*' --fault 'step.*'"),
            ("on one process, then on two", "run 'epoch_averaging/*' --ranks 1,2"),
        ),
        {
            0: "every finding is as expected", 1: "a finding or a claim is not",
            3: "nothing ran, it was interrupted, or all that is unexpected is unknown",
        },
    ),
    "report": Help(
        "Write the report of a run once more, or of several side by side.",
        (
            ("of one run, in its folder", "report reports/runs/A"),
            ("of two, side by side", "report reports/runs/A reports/runs/B --out both/"),
            ("as tables", "report reports/runs/A --tables tables/ --format parquet"),
            ("of a step of a GitHub workflow", "report reports/runs/A --github"),
        ),
        {0: "all is there", 3: "something is missing of a run: it was interrupted, or is damaged"},
    ),
    "compare": Help(
        "What differs between two runs.",
        (
            ("what a user would notice", "compare reports/runs/A reports/runs/B"),
            ("only what breaks fails; all of it in a file", "compare A/ B/ --fail-on breaks --out changes/"),
        ),
        _COMPARED,
    ),
    "upgrade": Help(
        "Whether another Lightning is a safe upgrade.",
        (
            ("from one release to another", "upgrade 2.5.6 2.6.6"),
            ("to a wheel that is not published", "upgrade 2.6.6 dist/lightning-2.7-py3-none-any.whl"),
            ("of your own module", "upgrade 2.5.6 2.6.6 --scenarios mine.py"),
            ("for every pull request", "upgrade 2.5.6 2.6.6 --profile quick"),
        ),
        _COMPARED,
    ),
    "bench": Help(
        "What a way to aggregate costs a step.",
        (
            ("counters, memory and time", "bench 'strategies/*sums*' --out bench/"),
            ("without the clock: what is counted is exact", "bench 'strategies/*' --rounds 0"),
            ("in two minutes, for a report", "bench --short --out reports/runs/latest"),
            ("what validating beside training saves", "bench 'parallel_validation/*' --short"),
        ),
        {0: "it is measured", 3: "nothing, or not all that is recommended, was measured, or it was interrupted"},
    ),
    "completion": Help(
        "Have your shell complete commands, scenarios and options.",
        (
            ("bash, from the next shell on", "completion bash >> ~/.bashrc"),
            ("zsh, if that folder is in your fpath", "completion zsh > ~/.zfunc/_epoch-harness"),
            ("fish", "completion fish > ~/.config/fish/completions/epoch-harness.fish"),
        ),
        {0: "it is printed"},
    ),
}  # fmt: skip
FIRST_STEPS = (
    ("what there is, and what can run here", "list"),
    ("a first run, which ends with where its report is", "run 'epoch_averaging/*@digits/ragged'"),
    ("a scenario of your own: README.md shows one", "run my_scenario.py"),
    ("examples, of each command", "run --help"),
)
OF_ALL = {0: "as expected", 1: "a finding, or a regression", 3: "could not decide, or interrupted"}


class Explained(click.Command):
    """A command that ends its help with its examples and exit codes."""

    def __init__(self, name: str | None, **attributes: Any) -> None:
        super().__init__(name, **attributes)
        if name in HELP:
            own = HELP[name]
            self.short_help, self.epilog = own.short, _epilog("Examples", own.examples, own.codes)


class Overview(click.Group):
    """All commands, and what to do first."""

    command_class = Explained

    def __init__(self, name: str | None = None, **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self.epilog = _epilog("Begin with", FIRST_STEPS, OF_ALL)

    def list_commands(self, ctx: click.Context) -> list[str]:
        order = [*HELP]
        return sorted(super().list_commands(ctx), key=lambda name: order.index(name) if name in order else len(order))


def _epilog(heading: str, examples: Sequence[tuple[str, str]], codes: Mapping[int, str]) -> str:
    shown = [line for words, call in examples for line in (f"  # {words}", f"  {COMMAND} {call}")]
    ends = [f"  {code}  {words}" for code, words in sorted({**codes, 2: BAD_USAGE, 4: FAILED}.items())]
    # \b: click leaves the lines of such a paragraph as they are.
    return "\n".join(["\b", f"{heading}:", *shown, "", "\b", "Exit codes:", *ends])
