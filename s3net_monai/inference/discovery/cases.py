"""The results of discovery: cases, excluded series, and a count of ignored files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from s3net_monai.data.label_names import LabelName
from s3net_monai.inference.discovery.spellings import Identifier

Kind = Literal["volume", "image_2d", "dicom_series", "dicom_vl_image", "unusable"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One image to segment.

    Attributes:
        case_id: identifier that names the outputs; unique within a run even where file names ignore case, and free of
            patient identifiers.
        input: the path that was named or discovered: a file, or the folder of a series; for a member of an archive
            ``study.zip/inner/folder``. It may contain patient identifiers: show ``identifiers.reported_input(case)``
            instead.
        image: the argument for the bundle's ``LoadImaged``: one path, or the files of one series.
        kind: the reader that the image needs. "dicom_series" is a series of slices, "dicom_vl_image" a visible-light
            image in DICOM, and "unusable" an input that already failed in discovery.
        problem: why the input is unusable.
        identifiers: values that must not appear in any text about the case; empty if identifiers may be kept.
        selection: one line that says why this series was selected rather than another one of its study; empty if it
            was the only series or the user named it; for a cine series also which phase it is. As ``problem``, it may
            contain patient identifiers: show it by ``identifiers.redact_message``.
        phase: number of the phase of a cine series, from 1; None for all other images.
        holds_phases: whether the files hold other phases, too, so that the reader must be told which one to read.
    """

    case_id: str
    input: Path
    image: tuple[Path, ...]
    kind: Kind
    problem: str = ""
    identifiers: frozenset[Identifier] = frozenset()
    selection: str = ""
    phase: int | None = None
    holds_phases: bool = False

    @property
    def phase_to_read(self) -> int | None:
        """The phase that the reader must pick from the files; None where they hold nothing else."""
        return self.phase if self.holds_phases else None


@dataclass(frozen=True, kw_only=True)
class ExcludedSeries:
    """A series or file that could have been a case and was not selected, described without patient identifiers.

    Attributes:
        input: the file or folder.
        series: number, modality, orientation and size of the series; empty for a file.
        reason: why it was excluded, in one line.
    """

    input: str
    series: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """The cases that a search yielded, and what it left out.

    Attributes:
        cases: in a reproducible order.
        ignored: number of files that are no images.
        labels: files that are masks or labels by their names.
        excluded: series and files that could have been cases.
    """

    cases: tuple[Case, ...]
    ignored: int
    labels: tuple[LabelName, ...] = ()
    excluded: tuple[ExcludedSeries, ...] = ()
