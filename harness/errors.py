"""Errors that are meant for people: each message says what was wrong, where, and what to do."""


class HarnessError(Exception):
    """Something the command line reports in one line, with `exit_code`, and without a traceback."""

    exit_code = 4


class UsageError(HarnessError):
    """The request cannot be carried out as given: an unknown scenario, a malformed filter, a foreign folder."""

    exit_code = 2


class ScenarioError(UsageError):
    """A scenario file that does not import, or declares something that cannot be run."""


class UndecidedError(HarnessError):
    """What was asked cannot be found out here and now: something that it depends on did not answer."""

    exit_code = 3
