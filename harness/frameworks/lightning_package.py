"""Lightning under the name it is installed by.

The same code is published as ``pytorch_lightning`` and as ``lightning.pytorch``. Scenario files write
``from harness.frameworks.lightning_package import pl``; where both are installed, ``pytorch_lightning`` is
taken, and every run says which it was.
"""

import importlib
import importlib.util

CANDIDATES = ("pytorch_lightning", "lightning.pytorch")


def _installed() -> str:
    for candidate in CANDIDATES:
        if importlib.util.find_spec(candidate.split(".")[0]) is not None:
            return candidate
    raise ModuleNotFoundError(
        "Lightning is not installed; install it with: pip install pytorch-lightning (or: pip install lightning)",
        name="pytorch_lightning",
    )


NAME = _installed()
pl = importlib.import_module(NAME)
