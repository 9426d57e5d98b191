"""Where a scenario is declared, told from the history of its trial; nothing of it is imported."""

import ast
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from harness.scenario_files import path_of


def declared_at(history: Path) -> tuple[Path, int] | None:
    """The file and the line, counted from 1, of the `scenario(...)` that declares what the trial ran.

    It is looked for in the source as it is now. Where one call declares several scenarios, it is that call; where no
    call names this one, the first line. None if the history or the source cannot be had.
    """
    try:
        with history.open(encoding="ascii") as file:
            told = json.loads(file.readline())["value"]
        path = _source(str(told["locator"]))
        tree = ast.parse(path.read_bytes()) if path else None
        pattern, _, variant = str(told["scenario"]).rpartition("/")
    except (OSError, ValueError, KeyError, TypeError, SyntaxError):
        return None
    if path is None or tree is None:
        return None
    known = _constants(tree)
    calls = [(_likeness(_texts(call, known), pattern, variant), -call.lineno) for call in _calls(tree)]
    return path, -max(calls, default=(0, -1))[1]


def _likeness(texts: set[str], pattern: str, variant: str) -> tuple[int, bool]:
    """Of what a call says to what is looked for: patterns are often made of a prefix and what is told of each."""
    return max((len(text) for text in texts if pattern.endswith(text)), default=0), variant in texts


def _source(locator: str) -> Path | None:
    """Of a file given by its path, or of a module; to find that, only the package at the top is looked up."""
    if given := path_of(locator):
        return Path(given)
    top, *below = locator.split(".")
    found = find_spec(top)
    if found is None or not below:
        return Path(found.origin) if found and found.origin else None
    for folder in found.submodule_search_locations or ():
        inside = Path(folder, *below)
        for path in (inside.with_suffix(".py"), inside / "__init__.py"):
            if path.is_file():
                return path
    return None


def _constants(tree: ast.Module) -> dict[str, str]:
    """Texts that the file has names for."""
    return {
        target.id: each.value.value
        for each in tree.body
        if isinstance(each, ast.Assign) and isinstance(each.value, ast.Constant) and isinstance(each.value.value, str)
        for target in each.targets
        if isinstance(target, ast.Name)
    }


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Statements that are a call, wherever importing the file gets to them."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield node.value
        elif isinstance(node, (ast.For, ast.If, ast.With, ast.Try)):
            yield from _calls(node)


def _texts(call: ast.Call, known: dict[str, str]) -> set[str]:
    """What it says itself, and what it says by name."""
    nodes = list(ast.walk(call))
    said = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return said | {known[node.id] for node in nodes if isinstance(node, ast.Name) and node.id in known}
