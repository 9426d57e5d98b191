"""An engine for Lightning alone, which is all that schedules of faults are drawn for."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # for `drawn_faults`


@pytest.fixture(scope="session")
def laboratory() -> Iterator[object]:
    from laboratory import Laboratory

    from harness.engine.local import engines

    with engines(["lightning"]) as warm:
        yield Laboratory(warm)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the file of a schedule that fails; Hypothesis calls a test many times within one."""
    return tmp_path_factory.mktemp("faults")
