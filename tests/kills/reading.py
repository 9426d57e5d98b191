"""What stands in the files, as it stands there: doubled epochs stay two, and damage is a ValueError."""

import json
import os
import re
from typing import Any


def written_records(path: str) -> list[tuple[int, dict[str, Any]]]:
    """Epochs in the order of lines, with their records."""
    if not os.path.exists(path):
        return []
    with open(path) as file:
        records = [json.loads(line) for line in file]
    return [(record["epoch"], record) for record in records]


def appended_lines(path: str) -> list[tuple[int, dict[str, str]]]:
    """The same of what document 004's callback appends; epochs are counted from 0."""
    if not os.path.exists(path):
        return []
    found = []
    with open(path) as file:
        for line in file:
            match = re.fullmatch(r"Epoch (\d+) end, loss: (\S+)\n", line)
            if match is None:
                raise ValueError(f"{path}: damaged line {line!r}")
            found.append((int(match[1]) - 1, {"loss": match[2]}))
    return found
