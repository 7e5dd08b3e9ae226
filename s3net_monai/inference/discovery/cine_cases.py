"""Cases from cine series of MR: every phase is one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from s3net_monai.inference.discovery.cases import Case
from s3net_monai.inference.discovery.dicom_headers import SeriesFiles
from s3net_monai.io.dicom.copies import drop_copies
from s3net_monai.io.dicom.enhanced import split_frames
from s3net_monai.io.dicom.files import read_header
from s3net_monai.io.dicom.phases import split_phases
from s3net_monai.utils.errors import CaseError


def phase_cases(series: SeriesFiles, case: Case) -> list[Case]:
    """Return one case per phase of a cine series; the case itself if it has one phase, or if its reader refuses it."""
    if series.modality != "MR" or series.images == series.frames or series.damaged:
        return [case]
    try:
        headers, _ = drop_copies([read_header(file) for file in series.files])
        phases = split_phases([frame for header in headers for frame in split_frames(header)])
    except CaseError:
        return [case]
    file_sets = [{header.path for header in phase.headers} for phase in phases]
    is_shared = sum(map(len, file_sets)) > len(set[Path]().union(*file_sets))
    width = len(str(len(phases)))
    return [
        replace(
            case,
            case_id=f"{case.case_id}_phase{phase.number:0{width}d}",
            image=tuple(sorted(files)),
            selection="; ".join(filter(None, (case.selection, str(phase)))),
            phase=phase.number,
            holds_phases=is_shared,
        )
        for phase, files in zip(phases, file_sets, strict=True)
    ]
