"""Callbacks that are not reliable, each in one way that the proof must notice."""

import planted_files
import torch

from harness.records.lightning import EpochRecords


class WithFile(EpochRecords):
    made = planted_files.EpochFile

    def __init__(self, path, checkpoint=None):
        super().__init__(path, checkpoint)
        self.file = self.made(path)


class NotAtomic(WithFile):
    made = planted_files.FileInPlace


class AppendsBlindly(WithFile):
    made = planted_files.AppendingFile


class KeepsAll(WithFile):
    made = planted_files.FileThatKeepsAll


class AfterTheCheckpoint(EpochRecords):
    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        pass

    def on_train_epoch_end(self, trainer, pl_module):
        self._save(trainer, self.checkpoint)
        self._record(trainer)


class AtTheStart(EpochRecords):
    """Counts an epoch when it begins."""

    def on_train_epoch_start(self, trainer, pl_module):
        self._record(trainer)


class CheckpointInPlace(EpochRecords):
    def _save(self, trainer, checkpoint):
        torch.save(trainer._checkpoint_connector.dump_checkpoint(), checkpoint)
