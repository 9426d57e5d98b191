"""What another interpreter is to import from here: the harness and the packages that scenarios come from, nothing else.

They may lie among everything that is installed here, which must not be found there in place of its own.
"""

import importlib.util
from collections.abc import Iterable
from pathlib import Path

from harness.errors import UsageError


def link(packages: Iterable[str], folder: Path) -> None:
    """Make a folder for the path of another interpreter, with a link to each top-level package or module.

    Raises:
        UsageError: there is no such package here, or none that consists of files.
    """
    folder.mkdir()
    for name in sorted({package.partition(".")[0] for package in packages}):
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations and not spec.origin:  # a namespace of several folders
            (folder / name).mkdir()
            for part in [each for location in spec.submodule_search_locations for each in Path(location).iterdir()]:
                if not (folder / name / part.name).exists():
                    (folder / name / part.name).symlink_to(part)
        elif spec is not None and spec.submodule_search_locations:
            (folder / name).symlink_to(Path(spec.submodule_search_locations[0]).absolute())
        elif spec is not None and spec.has_location and spec.origin:
            (folder / Path(spec.origin).name).symlink_to(Path(spec.origin).absolute())
        else:
            raise UsageError(f"{name} cannot be handed to another interpreter: there are no files of it here")
