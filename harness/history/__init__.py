"""The ordered operations of a trial, appended to disk as they happen."""
