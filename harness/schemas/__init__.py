"""JSON Schemas of everything a run directory holds, and of what is asked for in files."""

import json
from importlib import resources
from typing import Any, cast


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of one kind of record: `manifest`, `finding`, `operation`, `timing`, `claims`, `compare`,
    `bench`, `overlap`, `upgrade_cost`, `fault_schedule`."""
    text = resources.files(__name__).joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
    return cast("dict[str, Any]", json.loads(text))
