import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="module")
def attempts_in_lightning() -> Iterator[object]:
    """:class:`attempts.Attempts`."""
    from attempts import Attempts

    with Attempts("lightning") as attempts:
        yield attempts


@pytest.fixture(scope="module")
def attempts_in_keras() -> Iterator[object]:
    """:class:`attempts.Attempts`."""
    pytest.importorskip("keras", reason="Keras is not installed here")
    from attempts import Attempts

    with Attempts("keras") as attempts:
        yield attempts
