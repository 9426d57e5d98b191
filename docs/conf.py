"""Sphinx: the site that `make docs` builds.

The source folder is the repository, so that links between pages, the README and files are the same here and where the
repository is browsed, and all of them are checked.
"""

import os
import sys
from pathlib import Path

import click
from sphinx.application import Sphinx

import harness

sys.path.append(str(Path(__file__).parent))

import reference_pages

# Callbacks bring TensorFlow, which would tell of the processor.
os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}

project = "epoch-harness"
version = release = harness.__version__
author = "epoch-harness"

root_doc = "docs/index"
include_patterns = ["README.md", "CHANGELOG.md", "docs/**.md", "reports/published/report.md"]
exclude_patterns = [".*", "build", "reports/runs"]  # which are large, and not looked through

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
default_role = "code"  # as docstrings use single backticks
highlight_language = "none"
smartquotes = False  # which would make a dash of the hyphens of --options
html_theme = "furo"
html_title = f"epoch-harness {version}"
html_copy_source = False


def escape_globs(app: Sphinx, context: click.Context, lines: list[str]) -> None:
    """In help an asterisk is one of a glob; it begins no emphasis."""
    lines[:] = [line.replace("*", r"\*") for line in lines]


def setup(app: Sphinx) -> None:
    """What is known only when the site is built is written before Sphinx looks for pages."""
    app.connect("builder-inited", lambda app: reference_pages.write(Path(app.confdir) / "reference" / "generated"))
    for part in ("description", "epilog"):
        app.connect(f"sphinx-click-process-{part}", escape_globs)
