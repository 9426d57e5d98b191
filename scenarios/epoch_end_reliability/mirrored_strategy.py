"""The document's callback in a `MirroredStrategy`, where two replicas share every batch (document 004, text)."""

from harness import scenario
from scenarios.epoch_end_reliability.keras_models import FIGURES, RECORD, callbacks, model

scenario(
    pattern="epoch_end_reliability/mirrored_strategy", variant="as_documented", source="document 004",
    framework="keras", module=model, callbacks=callbacks, workloads="short/diabetes", record=RECORD, ranks=2,
    faults=["none", "strategy.replica_raises", "process.interrupt"], aggregates=FIGURES,
)  # fmt: skip
