"""Series become cases: which of a study is taken, and what is said about the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from s3net_monai.inference.discovery.case_ids import archive_stem, stem
from s3net_monai.inference.discovery.cases import Case, ExcludedSeries
from s3net_monai.inference.discovery.dicom_headers import NO_SOURCE, Series, SortedFiles
from s3net_monai.inference.discovery.identifiers import redact, uids_in
from s3net_monai.inference.discovery.series_selection import DEFAULT, Selection
from s3net_monai.io.limits import MAX_PIXELS, MAX_VOXELS
from s3net_monai.utils.messages import one_line

NAMED_MISSING = 3


class DicomCases(NamedTuple):
    """``cases`` with the file each begins with, and the series and files ``excluded``."""

    cases: list[tuple[Path, Case]]
    excluded: list[ExcludedSeries]


@dataclass(frozen=True)
class _Places:
    """How files are shown, and how many series begin in each folder."""

    shown: Callable[[Path], Path]
    crowded: frozenset[Path]

    def of(self, series: Series) -> Path:
        """The folder of a series, or the file of a single one among other series."""
        folders = {file.parent for file in series.files}
        folder = Path(os.path.commonpath(folders))
        return series.files[0] if len(series.files) == 1 and folder in self.crowded else folder


def dicom_cases(
    found: SortedFiles,
    rules: Selection,
    shown: Callable[[Path], Path],
    missing: Mapping[str, Sequence[str]] | None = None,
    keep_identifiers: bool = False,
) -> DicomCases:
    """Cases from sorted DICOM files.

    Photographs are cases of their own. Of the other series of a study those that satisfy the rules are taken; if the
    default finds none, the one nearest to it, so that the reader refuses it with its reason, and under rules of the
    user the study fails. A series that is the only one of all is taken whatever the rules: there was nothing to
    choose.

    Args:
        found: the files of one input.
        rules: which series to take.
        shown: how a path is shown, which for unpacked archives is not where it lies.
        missing: file IDs that a DICOMDIR names and that do not exist, by series UID.
        keep_identifiers: leave what cannot be read without even the UIDs of its name as identifiers.
    """
    missing = missing or {}
    counts: dict[Path, int] = {}
    for series in found.series:
        for folder in {file.parent for file in series.files}:
            counts[folder] = counts.get(folder, 0) + 1
    places = _Places(shown, frozenset(folder for folder, count in counts.items() if count > 1))
    result = DicomCases([], [])
    studies: dict[str, list[Series]] = {}
    for series in found.series:
        _note_copies(series, places, result)
        if series.kind == "picture":
            result.cases.extend(_picture_cases(series, shown))
        else:
            studies.setdefault(series.study, []).append(series)
    taken: list[tuple[Series, Case]] = []
    alone = sum(map(_is_candidate, found.series)) == 1
    for study in studies.values():
        taken += _of_study(study, rules, places, missing, result, alone)
    result.cases.extend(_numbered(taken, places))
    for file in found.damaged:
        hidden = frozenset() if keep_identifiers else uids_in(shown(file))
        result.cases.append((file, Case(stem(file), shown(file), (file,), "dicom", identifiers=hidden)))
    return result


def _of_study(
    study: list[Series],
    rules: Selection,
    places: _Places,
    missing: Mapping[str, Sequence[str]],
    result: DicomCases,
    alone: bool,
) -> list[tuple[Series, Case]]:
    candidates = [series for series in study if _is_candidate(series)]
    if not candidates:  # color captures alone may be photographs in a class that has no color of its own
        for series in study:
            if series.kind == "screen":
                result.cases.extend(_picture_cases(series, places.shown))
        study = [series for series in study if series.kind != "screen"]
    chosen, why_not, problem = _choose(candidates, rules, alone)
    for series in study:
        if not any(series is one for one in chosen):
            _pass_over(series, places, why_not.get(id(series)) or _no_candidate(series), result)
    cases = []
    for series in chosen:
        note = problem or _limit(series) or absent_files(missing.get(series.uid, ()))
        selection = ""
        if len(study) > 1:
            kind = f"nearest to '{rules.name}'" if why_not.get(id(series)) else f"satisfies '{rules.name}'"
            selection = f"{_describe(series)} taken of {len(study)} series of its study: {kind}"
        cases.append((series, _series_case(series, places, note, selection)))
    return cases


def _is_candidate(series: Series) -> bool:
    return series.kind == "volume" and series.modality not in NO_SOURCE


def _choose(candidates: list[Series], rules: Selection, alone: bool) -> tuple[list[Series], dict[int, str], str]:
    """The chosen series, why the others (or the nearest one) do not fit by id, and the problem if none does."""
    if not candidates:
        return [], {}, ""
    if alone:
        return candidates, {}, ""
    failures = {id(series): rules.failures(series.attributes) for series in candidates}
    reasons = {key: next(filter(None, failed), "") for key, failed in failures.items()}
    fitting = [series for series in candidates if not reasons[id(series)]]
    if not fitting:
        # Earlier conditions weigh more; then the most slices count, and of equals the first found.
        nearest = min(candidates, key=lambda s: ([bool(failed) for failed in failures[id(s)]], -s.frames))
        if rules is DEFAULT:
            return [nearest], reasons, ""
        reason = reasons[id(nearest)]
        return [nearest], reasons, f"no series satisfies the rules of {rules.name}: {reason} in {_describe(nearest)}"
    if rules.choose == "all":
        return fitting, reasons, ""
    best = max(fitting, key=lambda series: series.frames)
    for series in fitting:
        if series is not best:
            reasons[id(series)] = f"{series.frames} slices, the one taken has {best.frames}"
    return [best], reasons, ""


def _no_candidate(series: Series) -> str:
    if series.kind == "screen":
        return "a color capture beside a volume"
    return f"{series.modality}, made from images and none itself"


def _limit(series: Series) -> str:
    voxels = sum(series.voxels.values())
    return f"{voxels} voxels, beyond the limit of {MAX_VOXELS}; crop or resample it" if voxels > MAX_VOXELS else ""


def absent_files(names: Sequence[str]) -> str:
    """What is said of file IDs that a DICOMDIR names and that do not exist; empty without any."""
    if not names:
        return ""
    shown = (one_line(name) for name in names[:NAMED_MISSING])  # a damaged medium names anything
    listed = ", ".join(shown) + (", …" if len(names) > NAMED_MISSING else "")
    return f"{len(names)} files that the DICOMDIR names are missing ({listed}); copy the medium again"


def _series_case(series: Series, places: _Places, problem: str, selection: str) -> Case:
    place = places.of(series)
    shown = places.shown(place)
    return Case(
        case_id=stem(place) if shown == place or place.is_file() else archive_stem(shown.name),
        input=shown,
        image=tuple(sorted(series.files + series.damaged)),
        kind="unusable" if problem else "dicom",
        problem=f"{shown.name}: {problem}" if problem else "",
        identifiers=frozenset(series.identifiers),
        selection=selection,
    )


def _picture_cases(series: Series, shown: Callable[[Path], Path]) -> list[tuple[Path, Case]]:
    cases: list[tuple[Path, Case]] = []
    for file in series.files + series.damaged:
        case = Case(stem(file), shown(file), (file,), "dicompicture", identifiers=frozenset(series.identifiers))
        pixels = series.voxels.get(file, 0)
        if pixels > MAX_PIXELS:
            problem = f"{file.name}: {pixels} pixels, beyond the limit of {MAX_PIXELS}; crop or shrink it"
            case = replace(case, kind="unusable", problem=problem)
        cases.append((file, case))
    return cases


def _numbered(taken: list[tuple[Series, Case]], places: _Places) -> list[tuple[Path, Case]]:
    """Cases of one folder get numbers, in the order of their series numbers."""
    by_place: dict[Path, list[tuple[Series, Case]]] = {}
    for series, case in taken:
        by_place.setdefault(places.of(series), []).append((series, case))
    cases: list[tuple[Path, Case]] = []
    for together in by_place.values():
        together.sort(key=lambda pair: _number(pair[0]))
        for number, (series, case) in enumerate(together, start=1):
            case_id = case.case_id if len(together) == 1 else f"{case.case_id}_series{number}"
            cases.append((series.files[0], replace(case, case_id=case_id)))
    return cases


def _number(series: Series) -> float:
    try:
        return float(series.attributes.get("SeriesNumber", ("inf",))[0])
    except ValueError:
        return float("inf")


def _describe(series: Series) -> str:
    number = series.attributes.get("SeriesNumber", ("without number",))[0]
    description = " ".join(series.attributes.get("SeriesDescription", ()))
    slices = f"{series.frames} slice{'s' if series.frames != 1 else ''}"
    return f"series {number}{f' ({one_line(description, 64)})' if description else ''} of {slices}"


def _note_copies(series: Series, places: _Places, result: DicomCases) -> None:
    if series.copies:
        _pass_over(series, places, f"{len(series.copies)} files in other folders repeat its instances", result)


def _pass_over(series: Series, places: _Places, reason: str, result: DicomCases) -> None:
    hidden = frozenset(series.identifiers)
    shown = str(places.shown(places.of(series)))
    texts = [redact(text, hidden) for text in (shown, _describe(series), reason)]
    result.excluded.append(ExcludedSeries(*texts))
