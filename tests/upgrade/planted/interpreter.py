"""Makes an interpreter whose Lightning is changed where it is imported: a candidate for an upgrade.

It is a folder with a shell script `python`, which runs a real interpreter with that folder at the head of `PYTHONPATH`.
A `sitecustomize` there is imported when that interpreter starts, before any program, and waits for
`harness.frameworks.lightning_package`, through which warm parents and scenarios get Lightning under either name. When
that has been executed, so has Lightning, and the change is made: before any adapter or scenario is imported.

The script's own variable is set last, so what the engine puts in `PYTHONPATH` stays, behind it; `PYTHONSAFEPATH` keeps
the working folder out of the path and `PYTHONPATH` in it. `sys.executable` is the real interpreter, in whose virtual
environment everything is found, and processes that a trial starts by it inherit the variable, hence the change. An
interpreter that is started with -I or -E is not changed.
"""

import os
import shlex
import sys
from pathlib import Path

META = Path(__file__).parents[2] / "meta"
HERE = Path(__file__).parent

SITECUSTOMIZE = '''"""Changes Lightning when the harness has imported it; written by `planted_interpreter`."""

import importlib.abc
import importlib.util
import sys

WHEN = "harness.frameworks.lightning_package"
SOURCE = {source!r}


class Planting(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != WHEN:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            exec(compile(SOURCE, "<planted>", "exec"), {{"__name__": "planted"}})

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Planting())
'''


def planted_interpreter(folder: Path, patch_source: str, python: str = sys.executable) -> Path:
    """Write it into a folder that is made, and return the path of its `python`.

    Args:
        patch_source: Python that makes the change. It may import `planting` and `changes`, the files of bugs and of
            harmless changes beside them, and those in this folder.
        python: the real interpreter.
    """
    folder.mkdir(parents=True)
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE.format(source=patch_source), encoding="utf-8")
    added = os.pathsep.join(map(str, (folder.resolve(), META, HERE)))
    script = folder / "python"
    script.write_text(
        f"#!/bin/sh\n"
        f'PYTHONPATH={shlex.quote(added)}"${{PYTHONPATH:+{os.pathsep}$PYTHONPATH}}"\n'
        f"export PYTHONPATH\n"
        f'exec {shlex.quote(python)} "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    return script
