"""Finding the files of a data set, and saying what was looked for where there are none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from s3net_monai.data.datalist import Case
from s3net_monai.utils.errors import DataError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
NIFTI = (".nii.gz", ".nii")


def files_in(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Files directly in `folder` with one of the suffixes, in order of name; hidden ones, as macOS leaves, are not."""
    if not folder.is_dir():
        return []
    return [
        p
        for p in sorted(folder.iterdir())
        if p.name.lower().endswith(tuple(suffixes)) and not p.name.startswith(".") and p.is_file()
    ]


def files_below(folder: Path, pattern: str) -> list[Path]:
    """Files anywhere below `folder` whose name matches the glob `pattern`, hidden ones left out."""
    return sorted(p for p in folder.rglob(pattern) if not p.name.startswith(".") and p.is_file())


def label_beside(folder: Path, name: str, suffixes: Sequence[str] = PICTURES) -> Path | None:
    """The mask `folder`/`name` with any of the suffixes; None where the folder is absent, that is for unlabeled data.

    A mask that is absent from a folder of masks is returned all the same, as a path which the checks then report.
    """
    if not folder.is_dir():
        return None
    candidates = [folder / f"{name}{suffix}" for suffix in suffixes]
    return next((path for path in candidates if path.is_file()), candidates[0])


def found_or_error(cases: Iterable[Case], source: Path, looked_for: str) -> list[Case]:
    """The cases as a list; DataError, naming the layouts that were looked for, where there are none."""
    found = list(cases)
    if not found:
        state = "an empty folder" if not any(source.iterdir()) else "no file of this data set"
        raise DataError(f"{source}: {state}, looked for {looked_for}; give the folder that holds these")
    return found
