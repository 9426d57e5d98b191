"""Callbacks that are not reliable, each in one way that the proof must notice."""

from unittest import mock

import planted_files

from harness.records.keras import EpochRecords


class AfterTheCheckpoint(EpochRecords):
    def on_epoch_end(self, epoch, logs=None):
        with mock.patch.object(self.file, "put") as put:
            super().on_epoch_end(epoch, logs)
        self.file.put(*put.call_args.args)


class CheckpointInPlace(EpochRecords):
    def on_epoch_end(self, epoch, logs=None):
        with mock.patch("harness.records.keras.replace_with", planted_files.write_in_place):
            super().on_epoch_end(epoch, logs)
