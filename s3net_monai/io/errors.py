"""The one exception that ends a single case and lets the batch go on."""


class CaseError(ValueError):
    """A case that cannot be segmented or written.

    The message is one line: what is wrong, where, and what to do about it.
    """
