"""A reliable epoch-end: one durable record for every completed epoch, through SIGKILL and resume.

`harness.records.lightning` and `harness.records.keras` hold a callback ``EpochRecords`` each, `durable` the file that
both write. docs/reliable_epoch_end.md says what is promised and how it was measured. Nothing here imports the rest of
the harness, but for the name under which Lightning is installed.
"""
