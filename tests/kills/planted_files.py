"""Files of records that are not reliable, each in one way."""

import json

from harness.records.durable import EpochFile


class AppendingFile(EpochFile):
    """Appends, as most logs do, and removes nothing when training goes back."""

    def put(self, record):
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def drop_from(self, epoch):
        pass


class FileThatKeepsAll(EpochFile):
    """Replaces the record of an epoch only when it has been run again."""

    def drop_from(self, epoch):
        pass


class FileInPlace(EpochFile):
    """Writes over the old file."""

    def _write(self, records):
        self.path.write_text("".join(json.dumps(record) + "\n" for record in records))


def write_in_place(path, write):
    """As :func:`harness.records.durable.replace_with`, and over the old file."""
    with path.open("wb") as file:
        write(file)
