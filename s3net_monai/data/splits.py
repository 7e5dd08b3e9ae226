"""The split that a patient belongs to: it depends on the patient's identifier alone, so that it never changes."""

from __future__ import annotations

from hashlib import sha256

VALIDATION_FRACTION = 0.1


def hash_fraction(identifier: str) -> float:
    """Return a number from 0 to below 1 that is fixed for an identifier and evenly distributed over identifiers."""
    return int.from_bytes(sha256(identifier.encode(errors="surrogateescape")).digest()[:8], "big") / 2**64


def choose_split(patient: str, *, is_test: bool) -> str:
    """Return "test", or for other patients "validation" for about a tenth of them and "training" for all others.

    Args:
        patient: the identifier.
        is_test: whether the data set reserves the patient for test.
    """
    if is_test:
        return "test"
    return "validation" if hash_fraction(patient) >= 1 - VALIDATION_FRACTION else "training"
