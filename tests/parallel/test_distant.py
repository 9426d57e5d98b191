"""What another node is sent is held to what figures depend on there."""

import pytest

from harness.parallel.distant import Distant, computes_with
from harness.parallel.memory import Memory


@pytest.mark.parametrize("name", ["torch", "torchmetrics", "processor"])
def test_a_node_that_computes_otherwise_is_refused(name: str) -> None:
    here = computes_with("cpu")
    sent = Distant("cpu", {**here, name: "another"}, {}, (b"", {}))

    with pytest.raises(RuntimeError, match=f"a node has {name} .*, and training another: figures could differ"):
        sent(Memory(1))
