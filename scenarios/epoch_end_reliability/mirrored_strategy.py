"""The document's callback in a `MirroredStrategy`, where two replicas share every batch (document 004, text)."""

from harness import scenario
from scenarios.epoch_end_reliability.keras_models import FIGURES, LOG, epoch_log, model

scenario(
    pattern="epoch_end_reliability/mirrored_strategy", variant="as_documented", source="document 004",
    framework="keras", module=model, callbacks=lambda: [epoch_log()], workloads="short/diabetes", record=LOG, ranks=2,
    faults=["none", "strategy.replica_raises", "process.interrupt"], aggregates=FIGURES,
)  # fmt: skip
