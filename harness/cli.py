"""The command line: parse, call, print; nothing else.

Exit codes: 0 as expected, 1 a finding or a change, 2 bad usage, 3 could not decide, 4 the harness failed.
"""

import gc
import json
import math
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from errno import EDQUOT, ENOSPC
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click
from click.shell_completion import get_completion_class
from rich.console import Console

import harness
from harness import catalog as catalogs
from harness import completion, listing
from harness.comparison.differences import CLASSES, REGRESSIONS
from harness.engine import placing, plan
from harness.engine.engines import ENGINES, LOCAL, Where
from harness.engine.local import DEFAULT_LIMIT_S, engines
from harness.environment import together
from harness.errors import HarnessError, UsageError
from harness.faults.selection import select
from harness.frameworks.overlap_load import KINDS, Kind
from harness.help import COMMAND, Overview
from harness.progress import ConsoleProgress
from harness.run_directory import RunDirectory
from harness.terminal import one_line, printable, say, survive_any_text
from harness.upgrade.profiles import DEFAULT_BUDGET_S, FULL, PROFILES

FAILED = 4
JOBS = min(4, len(os.sched_getaffinity(0)))  # one a core; many parents that hold TensorFlow would fill the memory
DEVICE = click.Choice(["auto", "cpu", "cuda"])
FAIL_ON = click.option("--fail-on", metavar="CLASS,…", help=f"[default: {','.join(REGRESSIONS)}]")
ACCEPTED = click.option(
    "--accepted", type=click.Path(path_type=Path), help="A TOML file of differences that are accepted."
)
SCENARIOS = click.option(
    "--scenarios", multiple=True, metavar="PATH|MODULE", help="Your own, and only those without a FILTER."
)
ENGINE = click.option(
    "--engine", type=click.Choice(ENGINES), default=LOCAL, show_default=True, help="ray: trials run on a Ray cluster."
)
ADDRESS = click.option(
    "--address", default="", metavar="HOST:PORT", help="Of the Ray cluster.  [default: one is started here]"
)
FILTERS = click.argument("filters", nargs=-1, metavar="[FILTER]...", shell_complete=completion.filters)


class Seconds(click.FloatRange):
    """A number of seconds; infinity and what is no number are none."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds: float = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value} is not a number of seconds", param, ctx)
        return seconds


class Ranks(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    """Numbers of ranks, such as `1,2,3`."""

    name = "ranks"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        try:
            return placing.parse(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


@click.group(cls=Overview, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(harness.__version__, prog_name="epoch-harness")
def cli() -> None:
    """Run the documented ways of aggregating metrics over an epoch, and judge them against ground truth.

    A FILTER is a glob over scenario ids ('epoch_averaging/*'), which may name workloads after an @
    ('epoch_averaging/*@digits/ragged'), or the path of a scenario file of your own ('my_scenario.py').
    """


@cli.command("list")
@FILTERS
@click.option("--device", type=DEVICE, default="auto", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_scenarios(filters: tuple[str, ...], device: str, as_json: bool) -> None:
    """Show scenarios, their document, workloads, number of faults and claims, and whether they can run, or why not.

    --json names every workload, fault and claim.
    """
    catalog = _find()
    with engines(catalog.frameworks(filters)) as warm:
        environments = warm.environments
    planned = plan.make(catalog, filters, device, 0, environments)
    listed = listing.rows(catalog, planned)
    if as_json:
        click.echo(json.dumps(listed, indent=2))
    else:
        listing.print_list(listed, together(environments).title)


@cli.command("run")
@FILTERS
@SCENARIOS
@click.option("--device", type=DEVICE, default="auto", show_default=True, help="cuda trials need a GPU.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="[default: that of --fault FILE, or 0]")
@click.option("--jobs", type=click.IntRange(1), default=JOBS, show_default=True, help="Trials run side by side.")
@click.option(
    "--limit", "limit_s", type=Seconds(min=0.1), default=DEFAULT_LIMIT_S, show_default=True,
    help="Seconds that one trial may take.",
)  # fmt: skip
@click.option(
    "--fault", "faults", multiple=True, metavar="GLOB|FILE", shell_complete=completion.faults,
    help="Only under faults called so; or under those in a .json file, which also names the scenario.",
)  # fmt: skip
@click.option(
    "--ranks", type=Ranks(), metavar="N,…",
    help="Run each scenario of Lightning or Keras on so many ranks.  [default: as many as it declares]",
)  # fmt: skip
@click.option("--python", default="", metavar="PATH", help="An interpreter, to run trials in its environment.")
@ENGINE
@ADDRESS
@click.option("--out", type=click.Path(path_type=Path), help="Run directory.  [default: reports/runs/TIME]")
def run_trials(
    filters: tuple[str, ...], scenarios: tuple[str, ...], device: str, seed: int | None, jobs: int, limit_s: float,
    faults: tuple[str, ...], ranks: tuple[int, ...] | None, python: str, engine: str, address: str, out: Path | None,
) -> None:  # fmt: skip
    """Run scenarios, judge them, and write a run directory with a report."""
    from harness.run import Request, execute
    from harness.summary import print_run

    out = out or Path("reports/runs") / f"{datetime.now():%Y%m%d-%H%M%S}"
    console = Console()
    where = Where(engine, address)
    where.check(python)
    catalog = _find()
    own = _own(catalog, scenarios)
    selected = select(catalog, filters or own, faults, seed)
    request = Request(
        selected.filters,
        selected.faults,
        device,
        selected.seed,
        jobs,
        limit_s,
        python=python,
        ranks=ranks or (),
        where=where,
    )
    with ConsoleProgress(console) as progress:
        result = execute(catalog, request, out, progress)
    print_run(result, console)
    sys.exit(result.exit_code)


def _find() -> catalogs.Catalog:
    catalog = catalogs.find()
    gc.collect()
    gc.freeze()  # what was imported is here for good; to go through it again takes a seventh of judging
    completion.remember(catalog.scenarios)
    return catalog


def _own(catalog: catalogs.Catalog, scenarios: Iterable[str]) -> tuple[str, ...]:
    """Filters that select scenarios which are given by path or module, and are added."""
    return tuple(name for text in scenarios for name in catalog.add_from(text))


@cli.command("bench")
@FILTERS
@click.option("--device", type=DEVICE, default="cpu", show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--rounds", type=click.IntRange(0), help="Each times every scenario.  [default: 10, or 3 trainings]")
@click.option(
    "--limit", "limit_s", type=Seconds(min=0.1), default=DEFAULT_LIMIT_S, show_default=True,
    help="Seconds that one trial, or one process that measures, may take.",
)  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), help="Of steps: side by side, until it is timed.  [default: 2]")
@click.option("--batches", type=click.IntRange(4), help="Of steps: in a measured epoch.  [default: 100]")
@click.option("--load", "loads", type=click.Choice(KINDS), multiple=True, help="Of trainings.  [default: all]")
@click.option("--train-seconds", "train_s", type=Seconds(min=0.01), help="Of trainings: of an epoch.  [default: 1]")
@click.option("--short", is_flag=True, help="Measure what there is time for in every report.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for what was measured; may be a run's.")
def bench_scenarios(
    filters: tuple[str, ...], device: str, seed: int, out: Path | None, limit_s: float, rounds: int | None,
    jobs: int | None, batches: int | None, loads: tuple[Kind, ...], train_s: float | None, short: bool,
) -> None:  # fmt: skip
    """Measure what ways to aggregate over a training epoch cost a step, over a loop that reports nothing: in Lightning,
    Keras and torch, each over a bare loop of its own. Of 'parallel_validation/*', measure whole trainings: what
    validating beside training saves, and takes.

    Without a FILTER: 'strategies/*'; with --short, three of them.
    """
    from harness.bench import overlap, overlap_table, strategies, table
    from harness.report.render import save
    from harness.summary import print_bench, print_report

    catalog = _find()
    for_steps = {"--jobs": jobs, "--batches": batches}
    for_trainings = {"--load": loads, "--train-seconds": train_s}
    if trainings := overlap.asked_for(catalog, filters):
        _refuse(for_steps, "it is about steps, and these filters ask for whole trainings")
    else:
        _refuse(for_trainings, "it is about whole trainings, which are measured of 'parallel_validation/*'")
    if short:
        _refuse({"--rounds": rounds, "--batches": batches, **for_trainings}, "--short says how much is measured")
    if out is not None:
        save(out, {})  # a folder that cannot be made is told before minutes are spent
    console = Console()
    if not console.is_terminal:
        console.width = 240 if trainings else 200

    tell = partial(say, console)

    common: dict[str, Any] = {"filters": filters, "device": device, "seed": seed, "limit_s": limit_s}
    result: Any
    if trainings:
        given = {"rounds": rounds, "loads": loads or None, "train_s": train_s}
        asked = overlap.short(**common) if short else overlap.Request(**common, **_given(given))
        result = overlap.execute(catalog, asked, tell)
        overlap_table.print_overlap(result, console)
        folder = _folder_for(result, out, "overlap.json", console)
        if folder is not None:
            overlap_table.write(result, folder)
            print_report(folder / "overlap.md", console)
    else:
        given = {"rounds": rounds, "jobs": jobs, "batches": batches}
        steps = replace(strategies.short(**common) if short else strategies.Request(**common), **_given(given))
        result = strategies.execute(catalog, steps, tell)
        table.print_bench(result, console)
        folder = _folder_for(result, out, "bench.json", console)
        if folder is not None:
            table.write(result, folder)
        print_bench(result, folder, console)
    sys.exit(result.exit_code)


def _folder_for(result: Any, out: Path | None, name: str, console: Console) -> Path | None:
    """Where to write what was measured, if anywhere: what was interrupted replaces nothing."""
    if out is not None and result.interrupted and (out / name).exists():
        say(console, f"not written: {out / name} is of an earlier measurement, and this one was interrupted")
        return None
    return out


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _refuse(options: dict[str, Any], why: str) -> None:
    """Raises UsageError: one of the options is given."""
    for name, value in options.items():
        if value not in (None, ()):
            raise UsageError(f"leave out {name}: {why}")


@cli.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to.  [default: RUN, if it is one]")
@click.option("--github", "on_github", is_flag=True, help="Also the summary of a workflow's step, and annotations.")
@click.option("--tables", type=click.Path(path_type=Path), help="Also findings and timings, as files in this folder.")
@click.option("--format", "format_", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
def report(runs: tuple[Path, ...], out: Path | None, on_github: bool, tables: Path | None, format_: str) -> None:
    """Write report.html, report.md, comment.md (for a pull request) and junit.xml of one run, or, with --out, of
    several side by side. Of the folder of an upgrade or a comparison, write comment.md."""
    from harness.report import export, github, write_comment, write_reports

    summary = github.summary_file(os.environ) if on_github else None
    if out is None and len(runs) > 1:
        raise UsageError(f"{runs[0]} has a report of its own; name a folder for that of {len(runs)} runs with --out")
    out = out or runs[0]
    compared = github.stored_comparison(runs[0]) if len(runs) == 1 else ""
    if compared and tables:
        raise UsageError(f"--tables is of runs: name those that were compared, in {runs[0]} or elsewhere")
    if compared:
        reported = []
        shown, whole = runs[0] / f"{compared}.md", f"{compared}.md"
        write_comment(shown, out)
        annotations = github.of_comparison(runs[0], compared)
    else:
        shown, whole = out / "report.md", "report.html"
        reported = write_reports([RunDirectory.open(path) for path in runs], out)
        annotations = github.of_runs(reported)
        for path in export.write(reported, tables, format_) if tables else ():
            click.echo(f"table:  {path}")
    if summary:
        github.summarise(shown.read_text(encoding="utf-8"), summary, whole)
        for line in github.commands(annotations, Path(os.environ.get("GITHUB_WORKSPACE", "."))):
            click.echo(line)
    click.echo(f"report: {shown if compared else out / 'report.html'}")
    lacking = [f"{run.label} is not whole: {each}" for run in reported for each in run.lacks]
    for line in lacking:
        click.echo(one_line(line, most=sys.maxsize), err=True)
    sys.exit(3 if lacking else 0)


@cli.command()
@click.argument("run_a", type=click.Path(path_type=Path))  # a run directory, or a baseline
@click.argument("run_b", type=click.Path(path_type=Path))
@FAIL_ON
@ACCEPTED
@click.option("--out", type=click.Path(path_type=Path), help="Folder for compare.json and compare.md.")
def compare(run_a: Path, run_b: Path, fail_on: str | None, accepted: Path | None, out: Path | None) -> None:
    """Say how RUN_B differs from RUN_A: what they found, and all that a user would notice; not how long they took."""
    from harness.comparison import accepted as accepting
    from harness.comparison.runs import compare as compare_runs
    from harness.summary import print_comparison

    entries = accepting.read(accepted) if accepted else ()
    comparison = compare_runs(run_a, run_b, _classes(fail_on), entries)
    if out is not None:
        comparison.write(out, "compare")
    print_comparison(comparison, out / "compare.md" if out else None, Console())
    sys.exit(comparison.exit_code)


@cli.command()
@click.argument("baseline", shell_complete=completion.versions)
@click.argument("candidate", shell_complete=completion.versions)
@FILTERS
@click.option("--with", "with_", multiple=True, metavar="REQUIREMENT", help="Also on both sides, as torchmetrics==1.8.")
@click.option("--baseline-with", multiple=True, metavar="REQUIREMENT", help="Only there.")
@click.option("--candidate-with", multiple=True, metavar="REQUIREMENT", help="Only there.")
@SCENARIOS
@click.option("--profile", type=click.Choice(PROFILES), default=FULL, show_default=True, help="quick: no time, 30 s.")
@click.option(
    "--budget", "budget_s", type=Seconds(min=0), default=DEFAULT_BUDGET_S, show_default=True,
    help="Seconds that timing may take; 0 for none.",
)  # fmt: skip
@click.option(
    "--fault", "faults", multiple=True, metavar="GLOB|FILE", shell_complete=completion.faults, help="As of `run`."
)
@FAIL_ON
@ACCEPTED
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="[default: that of --fault FILE, or 0]")
@click.option("--jobs", type=click.IntRange(1), default=JOBS, show_default=True, help="Trials run side by side.")
@click.option(
    "--limit", "limit_s", type=Seconds(min=0.1), default=DEFAULT_LIMIT_S, show_default=True,
    help="Seconds that one trial may take.",
)  # fmt: skip
@ENGINE
@ADDRESS
@click.option("--out", type=click.Path(path_type=Path), help="[default: reports/runs/upgrade-TIME]")
def upgrade(
    baseline: str, candidate: str, filters: tuple[str, ...], with_: tuple[str, ...], baseline_with: tuple[str, ...],
    candidate_with: tuple[str, ...], scenarios: tuple[str, ...], profile: str, budget_s: float,
    faults: tuple[str, ...], fail_on: str | None, accepted: Path | None, seed: int | None, jobs: int,
    limit_s: float, engine: str, address: str, out: Path | None,
) -> None:  # fmt: skip
    """Say whether CANDIDATE is a safe upgrade of BASELINE: each a version of Lightning (2.5.6), a wheel, a source
    checkout, or the path of a Python interpreter."""
    from harness.comparison import accepted as accepting
    from harness.summary import print_comparison
    from harness.upgrade import on_cluster, sides
    from harness.upgrade.environments import provide
    from harness.upgrade.upgrade import Request, execute

    console = Console()
    where = Where(engine, address)
    where.check()

    tell = partial(say, console)

    out = out or Path("reports/runs") / f"upgrade-{datetime.now():%Y%m%d-%H%M%S}"
    named = (baseline, candidate)
    parsed = [sides.parse(text) for text in named]
    built = [() if isinstance(side, sides.Interpreter) else with_ for side in parsed]
    if with_ and not any(built):
        built = [with_, with_]  # which is refused, with the reason
    for label, with_that in zip(named, built, strict=True):
        if with_ and not with_that:
            tell(f"--with {' '.join(with_)} is not for {label}, which is used as it is")
    asked = [(*each, *alone) for each, alone in zip(built, (baseline_with, candidate_with), strict=True)]
    additions = [sides.parse_additions(side, texts) for side, texts in zip(parsed, asked, strict=True)]
    catalog = _find()
    own = _own(catalog, scenarios)
    selected = select(catalog, filters or own, faults, seed)
    request = Request(
        filters=selected.filters,
        faults=selected.faults,
        seed=selected.seed,
        jobs=jobs,
        limit_s=limit_s,
        profile=profile,
        budget_s=budget_s,
        fail_on=_classes(fail_on),
        accepted=tuple(accepting.read(accepted)) if accepted else (),
    )
    with where.joined(jobs, catalog.packages), ConsoleProgress(console) as progress:
        provided = [
            provide(side, more, tell) if engine == LOCAL else on_cluster.provide(side, more, where, catalog.packages)
            for side, more in zip(parsed, additions, strict=True)
        ]
        result = execute(catalog, request, (provided[0], provided[1]), named, out, progress, tell)
    print_comparison(result, out / "upgrade.md", console)
    sys.exit(result.exit_code)


@cli.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def print_completion(shell: str) -> None:
    """Print what makes a shell complete commands, options, scenarios, workloads behind an @, faults and versions.

    Scenarios are completed once `list` or any command that runs some has found them.
    """
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(cli, {}, COMMAND, f"_{COMMAND}_COMPLETE".replace("-", "_").upper()).source())


def _classes(text: str | None) -> tuple[str, ...]:
    """Raises UsageError: one is no class of differences."""
    if text is None:
        return REGRESSIONS
    named = tuple(name.strip() for name in text.split(",") if name.strip())
    if not named:
        raise UsageError(
            f"--fail-on names no class: with that, nothing would ever fail; there are {', '.join(CLASSES)}"
        )
    for name in named:
        if name not in CLASSES:
            raise UsageError(f"--fail-on {name!r} is none of: {', '.join(CLASSES)}")
    return named


def main() -> NoReturn:
    """The console script. What goes wrong is told in one line on standard error, never by a traceback."""
    survive_any_text()
    try:
        code = cli.main(prog_name=COMMAND, standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        # Interrupted in the `exec` of a string, as of dataclasses, `python -m` ends itself by SIGINT whatever its exit
        # code; not so after another `exec`.
        exec("")
        code = _complain("interrupted", 3)
    except HarnessError as error:
        code = _complain(str(error), error.exit_code)
    except OSError as error:
        code = _complain(_in_words(error), FAILED)
    except Exception as error:
        if os.environ.get("EPOCH_HARNESS_TRACEBACK"):
            raise
        code = _complain(
            f"the harness itself failed: {type(error).__name__}: {error} (EPOCH_HARNESS_TRACEBACK=1 shows where)",
            FAILED,
        )
    sys.exit(code or 0)


def _in_words(error: OSError) -> str:
    where = f" {error.filename}" if error.filename else ""
    what = f"cannot write or read{where}: {error.strerror or error}; what was written before is kept"
    if error.errno not in (ENOSPC, EDQUOT):
        return what
    return f"{what}; the disk is full: make room, or name a folder on another with --out (TMPDIR for temporary files)"


def _complain(message: str, code: int) -> int:
    click.echo(f"epoch-harness: {printable(message)}", err=True)
    return code
