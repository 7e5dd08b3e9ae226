"""Exceptions whose message is for users: one line with the file, what was found and expected, and the remedy."""

from __future__ import annotations

from collections.abc import Iterable


class UserError(ValueError):
    """An error whose message is for users.

    Args:
        message: one line.
        problems: one line each, where there are several. Only these parts are printed as lines: an end of a line
            within them, as from the name of a file, is not one.
    """

    def __init__(self, message: str = "", problems: Iterable[str] = ()) -> None:
        self.lines = (message, *problems)
        super().__init__("\n".join(self.lines))


class CaseError(UserError):
    """A case that cannot be segmented or written; the run continues with the other cases."""


class UnsuitedFormatError(CaseError):
    """An output format that does not exist for such a source, for example DICOM SEG for a NIfTI file.

    Nothing is wrong with the case; only this format is left out.
    """


class DataError(UserError):
    """A data set that cannot be used; the message has one line per problem."""


class UsageError(UserError):
    """A request that cannot be served at all: the run ends before its first case, with exit code 2."""


class TrainingError(UserError):
    """A training that cannot go on: what happened, where, and what to change."""
