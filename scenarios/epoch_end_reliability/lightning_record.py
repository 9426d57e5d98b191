"""One durable record for every epoch that is complete, in Lightning: what to use in place of a line written by hand."""

import json

from harness import Expect, scenario
from harness.frameworks.lightning_package import pl
from harness.records.lightning import EpochRecords
from harness.scenario import Record
from scenarios.epoch_end_reliability.lightning_hooks import EMPTY_EPOCHS, FIGURES, LABELS, Module

# What a loader says of its length is all there is to go by: by that, no epoch is complete, or every epoch is too early.
LENGTHS = [
    Expect("violated", "*lost", checker="record", fault="loader.length_too_long.validation"),
    Expect("violated", "*premature", checker="record", fault="loader.length_too_short*"),
]

scenario(
    pattern="epoch_end_reliability/lightning_record", variant="recommended", source="document 004, advice at the end",
    module=lambda data: Module(data.features),
    callbacks=lambda: [
        EpochRecords("epochs.jsonl", checkpoint="last.ckpt"), pl.callbacks.EarlyStopping("val_loss", patience=1000)
    ],
    trainer={"enable_checkpointing": True}, resume_from="last.ckpt",
    workloads="short/diabetes", faults="*", aggregates=FIGURES,
    record=Record("epochs.jsonl", lambda line: json.loads(line)["epoch"]), expects=[*EMPTY_EPOCHS, *LABELS, *LENGTHS],
)  # fmt: skip
