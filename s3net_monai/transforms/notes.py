"""Notes of transforms about an image, for the report and the log."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.printing import get_logger

logger = get_logger(__name__)


def sample_name(data: Mapping[Hashable, Any], key: Hashable) -> str:
    """Return the case and its file, as far as the sample states them.

    Folders are left out, as they may be named after people.
    """
    file = Path(str(getattr(data[key], "meta", {}).get("filename_or_obj", ""))).name
    return ", ".join(part for part in (str(data.get("case_id", "")), file) if part)


def add_note(data: Mapping[Hashable, Any], key: Hashable, note: str) -> None:
    """Add a line to the list "notes" of an image's metadata, and log it as a warning.

    The list reaches the report of ``s3net segment``, which switches the log off, and ``Result.warnings``; the log is
    for training and ``monai.bundle run``.
    """
    meta = getattr(data[key], "meta", None)
    if meta is not None:
        meta["notes"] = [*meta.get("notes", ()), note]
    logger.warning("%s: %s", sample_name(data, key) or key, note)


def log_notes(data: Mapping[Hashable, Any], key: Hashable) -> None:
    """Log the notes that an image has so far, those of its reader, as ``add_note`` does."""
    for note in getattr(data[key], "meta", {}).get("notes", ()):
        logger.warning("%s: %s", sample_name(data, key) or key, note)


@contextmanager
def named_refusal(data: Mapping[Hashable, Any], key: Hashable) -> Iterator[None]:
    """Put the name of the sample before the message of a ``CaseError``, as far as it is known."""
    try:
        yield
    except CaseError as error:
        name = sample_name(data, key)
        raise CaseError(f"{name}: {error}" if name else str(error)) from error
