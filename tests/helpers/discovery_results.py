"""Short descriptions of what discovery finds, and files for it to find."""

from __future__ import annotations

import shutil
from pathlib import Path

from s3net_monai.inference import find_cases
from s3net_monai.inference.discovery.cases import Discovery


def ids(paths: list[Path], output: Path | None = None) -> list[tuple[str, str]]:
    """Return the identifier and kind of every case below ``paths``."""
    return [(case.case_id, case.kind) for case in find_cases(paths, output).cases]


def touch(*paths: Path) -> None:
    """Create empty files and their folders."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def described(discovery: Discovery) -> list[tuple[str, str, int]]:
    return [(case.case_id, case.kind, len(case.image)) for case in discovery.cases]


def reasons(discovery: Discovery) -> list[str]:
    return [f"{series.series}: {series.reason}" for series in discovery.excluded]


def zipped(path: Path, folder: Path) -> Path:
    """Pack a folder as a zip archive and return its path."""
    return Path(shutil.make_archive(str(path.with_suffix("")), "zip", folder))
