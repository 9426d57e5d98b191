"""Two processes share an epoch, and one of them fails: does the other end, and say why? (document 004 asks it of
`MirroredStrategy`.)"""

from harness import Aggregate, scenario
from harness.oracle.predictions import weighted_on_rank_zero
from harness.oracle.quantities import mean_squared_error
from scenarios.epoch_end_reliability.lightning_hooks import EpochLog, Module

scenario(
    pattern="epoch_end_reliability/lightning_ranks", variant="as_documented", source="document 004, in Lightning",
    module=lambda data: Module(data.features), callbacks=lambda: [EpochLog("epochs.log")], ranks=2,
    workloads="short/diabetes", faults=["none", "strategy.*"],
    aggregates=[Aggregate("val_loss", of=mean_squared_error, stage="validation", predicts=weighted_on_rank_zero)],
)  # fmt: skip
