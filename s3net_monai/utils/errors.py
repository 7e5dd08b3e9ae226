"""Exceptions whose message is for users: one line with the file, what was found and expected, and the remedy."""


class CaseError(ValueError):
    """A case that cannot be segmented or written; the run continues with the other cases."""


class UnsuitedFormatError(CaseError):
    """An output format that does not exist for such a source, for example DICOM SEG for a NIfTI file.

    Nothing is wrong with the case; only this format is left out.
    """


class DataError(ValueError):
    """A data set that cannot be used; the message has one line per problem."""


class UsageError(ValueError):
    """A request that cannot be served at all: the run ends before its first case, with exit code 2."""


class TrainingError(ValueError):
    """A training that cannot go on: what happened, where, and what to change."""
