"""Files of a trial, by names that are the same whenever it runs."""

import os
import re
import tempfile
from pathlib import Path

# Python's own for temporary files and what stands in them; the engine's for where a trial hung.
PASSING = re.compile(r"tmp[a-z0-9_]{8}|pymp-.*|where-it-hung\.txt|.*\.pyc")
EVENTS = re.compile(r"(events\.out\.tfevents)\..*")  # TensorBoard adds time, host and process


class TrialFolder:
    """The working folder. Its files are the trial's own only if temporary files go there too, as the engine has it."""

    def __init__(self) -> None:
        self._root = Path.cwd().resolve()
        self._is_own = Path(tempfile.gettempdir()).resolve() == self._root

    def name(self, path: object) -> str:
        """A path relative to the folder, or else the file's name; "" for none. A link has its own name."""
        if not path:
            return ""
        folder, own = os.path.split(str(path))
        try:
            parts = Path(os.path.realpath(folder), own).relative_to(self._root).parts
        except ValueError:
            parts = ()
        if not parts or any(map(PASSING.fullmatch, parts)):
            return EVENTS.sub(r"\1", os.path.basename(str(path)))
        return EVENTS.sub(r"\1", "/".join(parts))

    def files(self) -> list[str] | None:
        """All that are there, sorted; None if others' may be among them."""
        if not self._is_own:
            return None
        found = []
        for folder, folders, files in os.walk(self._root):
            folders[:] = [each for each in folders if not PASSING.fullmatch(each)]
            found += [self.name(os.path.join(folder, each)) for each in files if not PASSING.fullmatch(each)]
        return sorted(found)
