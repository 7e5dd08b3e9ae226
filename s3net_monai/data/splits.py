"""Which split a patient belongs to: decided by the patient's identifier alone, so that it never changes."""

from __future__ import annotations

from hashlib import sha256

VALIDATION_SHARE = 0.1


def fraction(patient: str) -> float:
    """A number from 0 to below 1 that is fixed for an identifier and evenly spread over identifiers."""
    return int.from_bytes(sha256(patient.encode()).digest()[:8], "big") / 2**64


def split_of(patient: str, test: bool) -> str:
    """ "test" where `test` says so; of the other patients about a tenth for validation, the rest for training."""
    if test:
        return "test"
    return "validation" if fraction(patient) >= 1 - VALIDATION_SHARE else "training"
