"""The exceptions that carry a message for people: one line with file, found, expected and remedy."""


class CaseError(ValueError):
    """A case that cannot be segmented or written; the other cases go on."""


class UnsuitedFormatError(CaseError):
    """An output format that no mask of such a source has, for example DICOM SEG for a NIfTI file.

    Nothing is wrong with the case; only this format is left out.
    """


class DataError(ValueError):
    """A data set that cannot be used: one line per problem."""


class UsageError(ValueError):
    """A request that cannot be served at all: the run ends before it starts, with exit code 2."""
