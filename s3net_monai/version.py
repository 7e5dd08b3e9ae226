"""The version of the product, stated once."""

__version__ = "0.2.0"
