"""The exception that ends a whole run before it starts."""


class UsageError(ValueError):
    """A request that cannot be served at all: exit code 2. The message is one line with the remedy."""
