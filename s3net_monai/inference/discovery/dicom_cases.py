"""Cases from DICOM series and from damaged DICOM files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from s3net_monai.inference.discovery.case_ids import archive_stem, stem
from s3net_monai.inference.discovery.cases import Case, ExcludedSeries
from s3net_monai.inference.discovery.choose_series import (
    choose_series,
    describe,
    is_candidate,
    reason_no_candidate,
)
from s3net_monai.inference.discovery.cine_cases import phase_cases
from s3net_monai.inference.discovery.dicom_headers import SeriesFiles, SortedFiles
from s3net_monai.inference.discovery.identifiers import uids_in
from s3net_monai.inference.discovery.series_selection import Selection
from s3net_monai.inference.discovery.spellings import Identifier
from s3net_monai.io.limits import MAX_PIXELS, MAX_VOXELS
from s3net_monai.utils.messages import one_line

MAX_LISTED_FILES = 3  # missing files that a message names


class Excluded(NamedTuple):
    """What a report says of a series that was not selected, and the identifiers that must not appear in it."""

    series: ExcludedSeries
    identifiers: frozenset[Identifier]


class DicomCases(NamedTuple):
    """The ``cases``, each with its first file, and the ``excluded`` series and files."""

    cases: list[tuple[Path, Case]]
    excluded: list[Excluded]


@dataclass(frozen=True)
class _DisplayPaths:
    """Paths as reports and logs show them.

    Attributes:
        display: maps a path to the one that is shown.
        shared_folders: folders that contain more than one series.
    """

    display: Callable[[Path], Path]
    shared_folders: frozenset[Path]

    def source(self, series: SeriesFiles) -> Path:
        """The folder of a series; the file itself for a series of one file in a shared folder."""
        folder = Path(os.path.commonpath({file.parent for file in series.files}))
        return series.files[0] if len(series.files) == 1 and folder in self.shared_folders else folder


def dicom_cases(
    files: SortedFiles,
    rules: Selection,
    *,
    display: Callable[[Path], Path],
    missing: Mapping[str, Sequence[str]] | None = None,
    keep_identifiers: bool = False,
    modality: str = "CT",
) -> DicomCases:
    """Make cases from sorted DICOM files.

    Every VL image is a case of its own. Of the other series of a study, those that satisfy the rules are selected. If
    none satisfies the default rules, the one that comes closest is selected, so that the reader refuses it with its
    reason; if none satisfies the user's rules, the study fails. If the input has only one series, it is selected
    regardless of the rules, since there is nothing to choose.

    Args:
        files: the files of one input.
        rules: which series to select.
        display: maps a path to the one that is shown; the two differ for unpacked archives.
        missing: file IDs that a DICOMDIR names and that do not exist, by series UID.
        keep_identifiers: whether identifiers may be kept; otherwise, the UIDs in the name of an unreadable file count
            as identifiers.
        modality: of the task. For "MR", a cine series becomes one case per phase.
    """
    missing = missing or {}
    series_counts: dict[Path, int] = {}
    for series in files.series:
        for folder in {file.parent for file in series.files}:
            series_counts[folder] = series_counts.get(folder, 0) + 1
    paths = _DisplayPaths(display, frozenset(folder for folder, count in series_counts.items() if count > 1))
    result = DicomCases([], [])
    studies: dict[str, list[SeriesFiles]] = {}
    for series in files.series:
        if series.copies:
            where = " in other folders" if series.kind == "volume" else ""
            _exclude(series, paths, reason=f"{len(series.copies)} files{where} repeat its instances", result=result)
        if series.kind == "vl_image":
            result.cases.extend(_vl_image_cases(series, display))
        else:
            studies.setdefault(series.study, []).append(series)
    selected: list[tuple[SeriesFiles, Case]] = []
    is_only_series = sum(map(is_candidate, files.series)) == 1
    for study in studies.values():
        selected += _study_cases(study, rules, paths, missing=missing, result=result, is_only_series=is_only_series)
    result.cases.extend(_with_numbers(selected, paths, splits_cine=modality == "MR"))
    readable = {file.parent for series in files.series for file in series.files}
    for folder, damaged in _by_folder(files.damaged).items():
        if len(damaged) > 1 and folder not in readable:  # a series of which no file can be read
            result.cases.append((damaged[0], _damaged_case(folder, damaged, display, keep_identifiers)))
        else:
            result.cases.extend((file, _damaged_case(file, [file], display, keep_identifiers)) for file in damaged)
    return result


def _by_folder(files: Sequence[Path]) -> dict[Path, list[Path]]:
    folders: dict[Path, list[Path]] = {}
    for file in files:
        folders.setdefault(file.parent, []).append(file)
    return folders


def _damaged_case(source: Path, files: Sequence[Path], display: Callable[[Path], Path], keep_identifiers: bool) -> Case:
    """The case of a damaged file, or of a folder without any readable one; the reader says what is wrong."""
    shown = display(source)
    return Case(
        case_id=_case_id(source, shown),
        input=shown,
        image=tuple(files),
        kind="dicom_series",
        identifiers=frozenset() if keep_identifiers else uids_in(shown),
    )


def _case_id(source: Path, shown: Path) -> str:
    """Name a case after its file or folder, and after its archive where that has no folder."""
    return stem(source) if shown == source or source.is_file() else archive_stem(shown.name)


def _study_cases(
    study: list[SeriesFiles],
    rules: Selection,
    paths: _DisplayPaths,
    *,
    missing: Mapping[str, Sequence[str]],
    result: DicomCases,
    is_only_series: bool,
) -> list[tuple[SeriesFiles, Case]]:
    """Cases of the selected series of a study; the excluded ones, and color captures, are added to ``result``."""
    candidates = [series for series in study if is_candidate(series)]
    if not candidates:  # color captures without a volume may be VL images in a SOP class for any image
        for series in study:
            if series.kind == "color_capture":
                result.cases.extend(_vl_image_cases(series, paths.display))
        study = [series for series in study if series.kind != "color_capture"]
    selected, reasons, problem = choose_series(candidates, rules, is_only_series)
    for series in study:
        if not any(series is one for one in selected):
            _exclude(series, paths, reason=reasons.get(id(series)) or reason_no_candidate(series), result=result)
    cases = []
    for series in selected:
        series_problem = problem or _size_problem(series) or missing_files_problem(missing.get(series.uid, ()))
        selection = ""
        if len(study) > 1:
            fit = f"closest to '{rules.name}'" if reasons.get(id(series)) else f"satisfies '{rules.name}'"
            selection = f"{describe(series)}, selected from {len(study)} series of its study: {fit}"
        cases.append((series, _series_case(series, paths, problem=series_problem, selection=selection)))
    return cases


def _size_problem(series: SeriesFiles) -> str:
    voxels = sum(series.voxels.values())
    return f"{voxels} voxels, beyond the limit of {MAX_VOXELS}; crop or resample it" if voxels > MAX_VOXELS else ""


def missing_files_problem(names: Sequence[str]) -> str:
    """Describe file IDs that a DICOMDIR names and that do not exist; return an empty string if there are none."""
    if not names:
        return ""
    listed = ", ".join(one_line(name) for name in names[:MAX_LISTED_FILES])  # damaged media may contain any bytes
    if len(names) > MAX_LISTED_FILES:
        listed += ", …"
    return f"{len(names)} files that the DICOMDIR names are missing ({listed}); copy the disc again"


def _series_case(series: SeriesFiles, paths: _DisplayPaths, *, problem: str, selection: str) -> Case:
    source = paths.source(series)
    shown = paths.display(source)
    return Case(
        case_id=_case_id(source, shown),
        input=shown,
        image=tuple(sorted(series.files + series.damaged)),
        kind="unusable" if problem else "dicom_series",
        problem=f"{shown.name}: {problem}" if problem else "",
        identifiers=frozenset(series.identifiers),
        selection=selection,
    )


def _vl_image_cases(series: SeriesFiles, display: Callable[[Path], Path]) -> list[tuple[Path, Case]]:
    cases: list[tuple[Path, Case]] = []
    for file in series.files + series.damaged:
        case = Case(
            case_id=stem(file),
            input=display(file),
            image=(file,),
            kind="dicom_vl_image",
            identifiers=frozenset(series.identifiers),
        )
        pixels = series.voxels.get(file, 0)
        if pixels > MAX_PIXELS:
            problem = f"{file.name}: {pixels} pixels, beyond the limit of {MAX_PIXELS}; crop or shrink it"
            case = replace(case, kind="unusable", problem=problem)
        cases.append((file, case))
    return cases


def _with_numbers(
    selected: list[tuple[SeriesFiles, Case]], paths: _DisplayPaths, *, splits_cine: bool
) -> list[tuple[Path, Case]]:
    """Number the cases that share a folder, in the order of their series numbers, and split them into phases."""
    by_source: dict[Path, list[tuple[SeriesFiles, Case]]] = {}
    for series, case in selected:
        by_source.setdefault(paths.source(series), []).append((series, case))
    cases: list[tuple[Path, Case]] = []
    for group in by_source.values():
        group.sort(key=lambda pair: _series_number(pair[0]))
        for number, (series, case) in enumerate(group, start=1):
            case_id = case.case_id if len(group) == 1 else f"{case.case_id}_series{number}"
            case = replace(case, case_id=case_id)
            phases = phase_cases(series, case) if splits_cine and case.kind == "dicom_series" else [case]
            cases += [(series.files[0], phase) for phase in phases]
    return cases


def _series_number(series: SeriesFiles) -> float:
    try:
        return float(series.attributes.get("SeriesNumber", ("inf",))[0])
    except ValueError:
        return float("inf")


def _exclude(series: SeriesFiles, paths: _DisplayPaths, *, reason: str, result: DicomCases) -> None:
    shown = str(paths.display(paths.source(series)))
    excluded = ExcludedSeries(input=shown, series=describe(series), reason=reason)
    result.excluded.append(Excluded(excluded, frozenset(series.identifiers)))
