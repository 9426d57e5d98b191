"""The site is built without a warning, and its reference has all that there is."""

import html
import os
import re
import subprocess
import sys
from importlib.util import find_spec

import click
import pytest
from markdown_pages import ROOT

from harness import catalog, quantities, schemas
from harness.cli import cli

MISSING = [name for name in ("sphinx", "myst_parser", "furo", "sphinx_click", "keras") if find_spec(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"the extras docs and keras are not installed here: {', '.join(MISSING)}"),
]
STRICT = ("--quiet", "--fresh-env", "--fail-on-warning", "--keep-going", "-c", "docs")


def build(source, out, *options):
    command = [sys.executable, "-m", "sphinx", *STRICT, "-d", out / "doctrees", *options, source, out / "site"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("docs")
    built = build(ROOT, out)
    assert (built.returncode, built.stderr) == (0, "")
    return out / "site" / "docs"


def words(page):
    """The text of a page without its markup."""
    return html.unescape(re.sub(r"<[^>]*>", "", page.read_text(encoding="utf-8")))


def test_make_docs_builds_it_so():
    (line,) = (line for line in (ROOT / "Makefile").read_text().splitlines() if "sphinx-build" in line)
    assert " ".join(STRICT) in line


def test_every_command_and_option_is_in_the_reference(site):
    text = words(site / "reference" / "command_line.html")
    parameters = [each for command in cli.commands.values() for each in command.params]
    options = [name for each in parameters if isinstance(each, click.Option) for name in each.opts]
    assert [name for name in (*cli.commands, *options) if name not in text] == []


def test_every_scenario_and_claim_is_in_the_catalogue(site):
    found = catalog.find()
    pages = {page.stem: words(page) for page in (site / "reference" / "generated" / "catalogue").iterdir()}
    of_scenarios = [
        each.id for each in found.scenarios.values() if each.id.split("/", 1)[1] not in pages[each.document]
    ]
    assert of_scenarios == []
    assert [id for id in found.claims if not any(id in text for text in pages.values())] == []


def test_every_schema_is_in_the_reference(site):
    text = words(site / "reference" / "generated" / "schemas.html")
    names = {path.name for path in (ROOT / "harness" / "schemas").glob("*.json")}
    assert {name for name in names if name not in text} == set()
    assert schemas.schema("finding")["description"] in text


def test_every_quantity_is_in_the_reference(site):
    text = words(site / "reference" / "generated" / "quantities.html")
    there_are = [name for name, value in vars(quantities).items() if isinstance(value, quantities.Quantity)]
    assert there_are
    assert [name for name in there_are if name not in text] == []


def test_what_a_scenario_file_imports_is_in_the_reference(site):
    import harness

    text = words(site / "reference" / "declarations.html")
    assert [name for name in harness.__all__ if name != "__version__" and name not in text] == []


def test_links_that_lead_nowhere_fail_the_build(tmp_path):
    links = ["[page](missing.md)", "[place](#nowhere)", "[place](other.md#nowhere)", "[place](other.md#other)"]
    source = tmp_path / "source"
    source.mkdir()
    (source / "other.md").write_text("---\norphan: true\n---\n# Other\n")
    (source / "index.md").write_text("# Page\n" + "".join(f"\n{link}\n" for link in links))
    built = build(source, tmp_path, "-D", "root_doc=index", "-D", "include_patterns=*.md")
    assert built.returncode == 1
    assert re.findall(r"index\.md:(\d+): WARNING", built.stderr) == ["3", "5", "7"]
