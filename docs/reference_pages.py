"""Writes the pages of the reference that are made of data: the catalogue of scenarios, quantities, and schemas.

They are not kept in the repository: each build makes them of what is there, so that they cannot be out of date.
"""

import inspect
import json
from collections.abc import Iterable, Sequence
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

from harness import catalog as catalogs
from harness import quantities, schemas
from harness.catalog import Catalog, declared_workloads
from harness.faults.fault import NONE
from harness.listing import in_short
from harness.scenario import Claim, Expect, Scenario


def write(folder: Path) -> None:
    """Leave these pages, and no other, in a folder. What is right already stays: another build may be reading it."""
    pages = {folder / name: text for name, text in generated(catalogs.find())}
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in set(folder.rglob("*.md")) - set(pages):
        path.unlink()


def generated(catalog: Catalog) -> Iterable[tuple[str, str]]:
    """The path of each page, and what it says."""
    ordered = sorted(catalog.scenarios.values(), key=lambda scenario: scenario.id)
    for document, scenarios in groupby(ordered, key=lambda scenario: scenario.document):
        yield f"catalogue/{document}.md", document_page(document, list(scenarios), catalog)
    yield "quantities.md", quantities_page()
    yield "schemas.md", schemas_page()


def document_page(document: str, scenarios: Sequence[Scenario], catalog: Catalog) -> str:
    """The scenarios of one document, and the claims that their findings help to decide."""
    about = {id for scenario in scenarios for id in catalog.claims_about(scenario.id)}
    claims = [claim for id, claim in catalog.claims.items() if id in about]
    return "\n".join(
        [
            f"# {document}",
            "",
            f"{len(scenarios)} scenarios, {len(claims)} claims. `epoch-harness run '{document}/*'` runs them.",
            "",
            "## Scenarios",
            "",
            *table(("scenario", "framework", "figures", "workloads", "faults", "source"), map(scenario_row, scenarios)),
            "",
            *(
                ["## Claims", "", *table(("claim", "statement", "source", "expected"), map(claim_row, claims))]
                * bool(claims)
            ),
            "",
        ]
    )


def scenario_row(scenario: Scenario) -> tuple[str, ...]:
    return (
        code(scenario.id.removeprefix(f"{scenario.document}/")),
        scenario.framework + (f", {scenario.ranks} ranks" if scenario.ranks > 1 else ""),
        ", ".join(dict.fromkeys(code(each.label) for each in scenario.aggregates)),
        ", ".join(map(code, in_short(declared_workloads(scenario)))),
        ", ".join(code(glob) for glob in scenario.faults if glob != NONE),
        scenario.source,
    )


def claim_row(claim: Claim) -> tuple[str, ...]:
    return code(claim.id), claim.statement, claim.source, "; ".join(map(expected, claim.expects))


def expected(expect: Expect) -> str:
    return f"{expect.verdict}, where {code(expect.needs)}" if expect.needs else expect.verdict


def quantities_page() -> str:
    """What there is to measure: each name in `harness.quantities`, with its definition and how its bound is derived."""
    parts = ["# Quantities", "", "What `Aggregate(of=…)` can be, from `harness.quantities`."]
    for name, quantity in vars(quantities).items():
        if isinstance(quantity, quantities.Quantity):
            parts += ["", f"## {name}", "", f"**{quantity.name}.** {inspect.getdoc(quantity.measure) or ''}"]
    return "\n".join([*parts, ""])


def schemas_page() -> str:
    """Every schema: the fields of what it describes, and all of it."""
    files = sorted(
        (file for file in resources.files(schemas).iterdir() if file.name.endswith(".schema.json")),
        key=lambda file: file.name,
    )
    parts = [
        "# Schemas",
        "",
        "What a run directory holds, and what is asked for in files: JSON Schema, draft 2020-12, in",
        "`harness/schemas/`. `harness.schemas.validator(NAME)` checks against one.",
    ]
    for file in files:
        schema = json.loads(file.read_text(encoding="utf-8"))
        fields = schema.get("items", schema)
        parts += [
            "",
            f"## {file.name.removesuffix('.schema.json')}",
            "",
            f"{schema['title']}. {schema.get('description', '')}",
            "",
            *table(("field", "required", "is", "means"), field_rows(fields, schema.get("$defs", {}))),
            "",
            f"<details><summary>{file.name}</summary>",
            "",
            "```json",
            json.dumps(schema, indent=2, ensure_ascii=False),
            "```",
            "",
            "</details>",
        ]
    return "\n".join([*parts, ""])


def field_rows(schema: dict[str, Any], definitions: dict[str, Any]) -> Iterable[tuple[str, ...]]:
    for name, field in schema.get("properties", {}).items():
        named = definitions.get(field.get("$ref", "").removeprefix("#/$defs/"), {})
        meaning = field.get("description") or named.get("description", "")
        yield code(name), "yes" if name in schema.get("required", ()) else "", kind({**named, **field}), meaning


def kind(field: dict[str, Any]) -> str:
    """What a value may be, in short."""
    if "const" in field:
        return code(json.dumps(field["const"]))
    if "enum" in field:
        return ", ".join(code(json.dumps(value)) for value in field["enum"])
    types = field.get("type", "")
    return types if isinstance(types, str) else " or ".join(types)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = (heads, ["---"] * len(heads), *rows)
    return ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in cells]


def code(text: str) -> str:
    return f"`{text}`"
