"""Validation beside training, for users: docs/parallel_validation.md says what is promised and how it was measured.

`keras` holds the callback for Keras; `sidecar` the process that it hands weights to.
"""
