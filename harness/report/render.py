"""Templates to text, and text to files."""

import base64
import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.errors import UsageError
from harness.report import text
from harness.run_directory import RunDirectory


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=lambda name: name is not None and name.endswith((".html.jinja", ".svg.jinja")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {
        "figure": text.figure,
        "bias": text.bias,
        "md": text.markdown,
        "code": text.markdown_code,
        "block": text.markdown_block,
        "brief": partial(text.shortened, most=200),
        "plural": _plural,
    }
    return templates


def render(template: str, **context: Any) -> str:
    """A template of `harness/report/templates`, filled in; HTML and SVG are escaped by the template's name."""
    return text.printable(_templates().get_template(template).render(**context))


def script() -> dict[str, str]:
    """The script of a page, and by what a browser knows it from any other: none but this one runs."""
    written = _templates().get_template("report.js").render()
    known_by = base64.b64encode(hashlib.sha256(written.encode()).digest()).decode()
    return {"script": Markup(written), "script_hash": f"sha256-{known_by}"}


def save(out: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder, made if need be; each is there whole, or as it was before.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            RunDirectory(out).replace(out / name, content)
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error.strerror}; name another folder with --out") from error
