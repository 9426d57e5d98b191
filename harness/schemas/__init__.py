"""JSON Schemas of everything a run directory holds, and of what is asked for in files."""

import json
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, cast

import jsonschema
from referencing import Registry
from referencing.jsonschema import DRAFT202012


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of one kind of record: `manifest`, `finding`, `operation`, `timing`, `claims`,
    `comparison`, `accepted`, `baseline`, `bench`, `overlap`, `upgrade_cost`, `fault_schedule`."""
    text = resources.files(__name__).joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
    return cast("dict[str, Any]", json.loads(text))


def validator(name: str) -> jsonschema.Draft202012Validator:
    """For a schema that refers to others by their files."""
    others = ((path.name, DRAFT202012.create_resource(schema(path.name.split(".")[0]))) for path in _files())
    return jsonschema.Draft202012Validator(schema(name), registry=Registry().with_resources(others))


def _files() -> list[Traversable]:
    return [path for path in resources.files(__name__).iterdir() if path.name.endswith(".schema.json")]
