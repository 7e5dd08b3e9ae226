"""What discovery hands on: a case, and what a search found and passed over."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["volume", "picture", "dicom", "dicompicture", "unusable"]


@dataclass(frozen=True)
class Case:
    """One image to segment.

    Attributes:
        case_id: unique in a run, also where file names know no case; names the outputs; holds no identifier.
        input: what was named or found: the file, or the folder of the series; of a member of an archive
            ``study.zip/inner/folder``. It may hold identifiers: show ``identifiers.reported_input(case)`` instead.
        image: what the bundle's ``LoadImaged`` gets: one path, or the files of one series.
        kind: which reader it needs. "dicom" is a series of slices, "dicompicture" a photograph in DICOM, and
            "unusable" an input that failed already here.
        problem: why it is unusable.
        identifiers: what must not appear in any text about the case; empty where identifiers may be kept.
        selection: why this series was taken and not another one of its study, in one line; empty if it was the only
            one or was named by the user.
    """

    case_id: str
    input: Path
    image: tuple[Path, ...]
    kind: Kind
    problem: str = ""
    identifiers: frozenset[str] = frozenset()
    selection: str = ""


@dataclass(frozen=True)
class ExcludedSeries:
    """A series or file that could have been a case and is none: free of identifiers, for the report.

    Attributes:
        input: the file or folder.
        series: number, description and size of the series; empty for a file.
        reason: why, in one line.
    """

    input: str
    series: str
    reason: str


@dataclass(frozen=True)
class Discovery:
    """The cases in a stable order, how many files were passed over as no images, and the images not taken."""

    cases: tuple[Case, ...]
    ignored: int
    excluded: tuple[ExcludedSeries, ...] = ()
