import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
HERE = Path(__file__).parent
# For `laboratory`, `histories`, `drawn` and `candidates`, and for `planting` and `interpreter`, which the files of
# changes import here as they do in a trial.
FOLDERS = ("unit", "meta", "properties", "ranks", "upgrade", "upgrade/planted")
sys.path += [str(HERE), *(str(HERE / folder) for folder in FOLDERS)]


@pytest.fixture(scope="session")
def laboratory() -> Iterator[object]:
    """A :class:`laboratory.Laboratory`. Its imports take seconds, which most tests need not wait for."""
    from laboratory import Laboratory

    from harness.engine.local import engines

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE / "meta"))
        with engines(["keras", "lightning"]) as warm:
            yield Laboratory(warm)
