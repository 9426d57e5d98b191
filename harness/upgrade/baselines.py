"""`python -m harness.upgrade.baselines [VERSION…]`: what each supported Lightning does, in short, to be committed.

Runs all scenarios of Lightning in an environment of that version (built, or from the cache) and writes
`reports/baselines/VERSION.jsonl`. `epoch-harness compare reports/baselines/2.5.6.jsonl RUN` says how a run differs.
"""

import sys
import tempfile
from pathlib import Path

import click

from harness import catalog as catalogs
from harness.comparison import baseline
from harness.engine import plan
from harness.progress import Quiet
from harness.run import Request, Run
from harness.run_directory import RunDirectory
from harness.scenario import DEFAULT_FRAMEWORK as FRAMEWORK
from harness.upgrade import sides
from harness.upgrade.environments import provide
from harness.workloads import library

FOLDER = Path("reports/baselines")
VERSIONS = ("1.9.5", "2.0.9.post0", "2.1.4", "2.2.5", "2.3.3", "2.4.0", "2.5.6", "2.6.6")


def make(version: str, python: str, folder: Path) -> Path:
    """The baseline of an environment, written below `folder`."""
    catalog = catalogs.find()
    asked = [each for each in plan.asked(catalog, ()) if each.scenario.framework == FRAMEWORK]
    workloads = {name: library.build(name, 0) for name in dict.fromkeys(each.workload for each in asked)}
    with tempfile.TemporaryDirectory() as scratch:
        run = Run(RunDirectory.create(Path(scratch, "run")), Request(device="cpu", jobs=2, python=python))
        with run.engines([FRAMEWORK], catalog.packages) as warm:
            lines = [
                baseline.line(judged.findings, judged.history)
                for judged in run.carry_out(catalog, workloads, warm, Quiet())
            ]
        run.end("complete")
        path = folder / f"{version}.jsonl"
        baseline.write(path, baseline.header(run.directory.read_manifest()), lines)
    return path


def main() -> None:
    for version in sys.argv[1:] or VERSIONS:
        side = sides.parse(version)
        provided = provide(side, sides.parse_additions(side, ()), click.echo)
        click.echo(f"{make(version, str(provided.python), FOLDER)}: {provided.title}")


if __name__ == "__main__":
    main()
