"""The exception that ends a single case and lets the batch go on, and the one that only costs it a format."""


class CaseError(ValueError):
    """A case that cannot be segmented or written.

    The message is one line: what is wrong, where, and what to do about it.
    """


class UnsuitedFormatError(CaseError):
    """A format that no mask of such a source has, as DICOM SEG for a NIfTI file: nothing is wrong with the case."""
