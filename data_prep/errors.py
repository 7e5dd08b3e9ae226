"""What is wrong with a data set, in words for the person who has to mend it."""


class DataError(ValueError):
    """A data set that cannot be used: a line for each problem, with file, found, expected and remedy."""
