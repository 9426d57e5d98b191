"""Batches that change their shape, raise, or end too early or never (document 004, example 3)."""

from harness import scenario
from scenarios.epoch_end_reliability.keras_models import FIGURES, RECORD, callbacks, model

scenario(
    pattern="epoch_end_reliability/data_loading", variant="as_documented", source="document 004, example 3",
    framework="keras", module=model, callbacks=callbacks, workloads="short/diabetes", record=RECORD,
    faults=["none", "loader.*"], aggregates=FIGURES,
)  # fmt: skip
