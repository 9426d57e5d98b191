import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))


@pytest.fixture(scope="session")
def observer() -> Iterator[object]:
    """:class:`observing.Observer`."""
    from observing import Observer

    with Observer() as observer:
        yield observer
