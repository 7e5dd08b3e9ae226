"""Search for the files of a data set, and the message where there are none."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from s3net_monai.data.datalist import DatalistCase
from s3net_monai.file_formats import IMAGE_2D_SUFFIXES, NIFTI_SUFFIXES
from s3net_monai.utils.errors import DataError
from s3net_monai.utils.walk import walk

# The usual suffix of a mask comes first: it is preferred, and a missing mask is named with it.
IMAGE_SUFFIXES = (".png", *(suffix for suffix in IMAGE_2D_SUFFIXES if suffix != ".png"))
VOLUME_SUFFIXES = tuple(reversed(NIFTI_SUFFIXES))


def list_files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Return the files directly in ``folder`` with one of the suffixes, by name, without hidden ones (macOS)."""
    if not folder.is_dir():
        return []
    return [
        p
        for p in sorted(folder.iterdir())
        if p.name.lower().endswith(tuple(suffixes)) and not p.name.startswith(".") and p.is_file()
    ]


def list_files_below(folder: Path, pattern: str) -> list[Path]:
    """Return the files anywhere below ``folder`` whose name matches ``pattern`` in any case, without hidden ones."""
    matches = re.compile(fnmatch.translate(pattern), re.IGNORECASE).match
    return sorted(
        parent / name
        for parent, _, names in walk(folder)
        for name in names
        if matches(name) and not name.startswith(".") and (parent / name).is_file()
    )


def find_label(folder: Path, name: str, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> Path | None:
    """Return the mask ``name`` in ``folder`` with any of the suffixes, or None if there is no such folder.

    A data set without a folder of masks is unlabeled. A mask that is missing from a folder of masks is returned all the
    same, as a path that ``check_cases`` then reports.
    """
    if not folder.is_dir():
        return None
    candidates = [folder / f"{name}{suffix}" for suffix in suffixes]
    exact = next((path for path in candidates if path.is_file()), None)
    names = {path.name.lower() for path in candidates}
    return exact or next((path for path in sorted(folder.iterdir()) if path.name.lower() in names), candidates[0])


def require_cases(cases: Iterable[DatalistCase], source: Path, layout: str) -> list[DatalistCase]:
    """Return the cases as a list.

    Args:
        cases: those in ``source``.
        source: the folder that was searched.
        layout: a description of the layouts that were expected, for the message.

    Raises:
        DataError: if there are none.
    """
    listed = list(cases)
    if not listed:
        state = "an empty folder" if not any(source.iterdir()) else "no file of this data set"
        raise DataError(f"{source}: {state}, looked for {layout}; give the folder that holds these")
    return listed
