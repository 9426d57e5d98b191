"""Imports scenario files, from a package or from a path. Standard library only: trials use it too."""

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path

from harness.errors import ScenarioError
from harness.scenario import DECLARED, Claim, Scenario

_FILE_PREFIX = "epoch_harness_file:"


def locator_of(path: Path) -> str:
    """How a file given by its path is referred to in a trial; a module's locator is its name."""
    return f"{_FILE_PREFIX}{path.resolve()}"


def path_of(locator: str) -> str:
    """The path that a locator of a file stands for; empty for a module."""
    return locator.removeprefix(_FILE_PREFIX) if locator.startswith(_FILE_PREFIX) else ""


def load(locator: str) -> tuple[list[Scenario], list[Claim]]:
    """Import a module (by name) or a file (by `locator_of`) and return what it declares.

    Raises:
        ModuleNotFoundError: it needs a module that is not installed.
        ScenarioError: it does not import for any other reason.
    """
    if locator not in sys.modules:
        DECLARED.forget(locator)
        try:
            if locator.startswith(_FILE_PREFIX):
                _import_file(locator)
            else:
                importlib.import_module(locator)
        except (ModuleNotFoundError, ScenarioError):
            raise
        except (Exception, SystemExit) as error:  # a file that leaves must not take the command line with it
            raise ScenarioError(_explain(locator, error)) from error
    return DECLARED.declared_by(locator)


def _import_file(locator: str) -> None:
    path = Path(locator.removeprefix(_FILE_PREFIX))
    spec = importlib.util.spec_from_file_location(locator, path)
    if spec is None or spec.loader is None:
        raise ScenarioError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[locator] = module
    # A scenario file may import its neighbours, as a script may.
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[locator]
        raise


def _explain(locator: str, error: BaseException) -> str:
    name = locator.removeprefix(_FILE_PREFIX)
    if isinstance(error, SyntaxError):
        return f"scenario file {error.filename or name}, line {error.lineno}: {error.msg}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"scenario file {name} does not import: {type(error).__name__}: {error} ({last.filename}:{last.lineno})"
