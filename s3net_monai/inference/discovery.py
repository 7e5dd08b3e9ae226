"""From the paths a user names to a list of cases."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from s3net_monai.inference.cases import Case, Discovery, Kind, PassedOver
from s3net_monai.inference.errors import UsageError
from s3net_monai.inference.selection import DEFAULT, Selection
from s3net_monai.io.dicom_files import group_series, looks_like_dicom

VOLUME_SUFFIXES = (".nii", ".nii.gz")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")

__all__ = ["PICTURE_SUFFIXES", "VOLUME_SUFFIXES", "Case", "Discovery", "Kind", "PassedOver", "find_cases", "stem"]

KNOWN_INPUTS = "NIfTI (.nii, .nii.gz), PNG, JPEG, BMP, or DICOM series folders"


def find_cases(
    inputs: Sequence[Path],
    output: Path | None = None,
    *,
    rules: Selection = DEFAULT,
    unpack_to: Path | None = None,
    keep_identifiers: bool = False,
) -> Discovery:
    """Find every image among files, folders of files, series folders and trees of them.

    Folders are searched to any depth in sorted order. Hidden files, files inside ``output``, and masks of an earlier
    run (``*_seg.*``) are passed over. A folder's DICOM files make one case a series.

    Raises:
        UsageError: when no input holds any image.
    """
    cases: list[Case] = []
    ignored = 0
    for path in inputs:
        if not path.exists():
            cases.append(_unusable(path, f"{path}: no such file or folder; check the path"))
        elif path.is_file():
            cases.append(_file_case(path) or _unusable(path, f"{path}: not a known image type; give {KNOWN_INPUTS}"))
        else:
            found, passed_over = _folder_cases(path, output)
            ignored += passed_over
            if not found:
                passed = f"{passed_over} other files in it" if passed_over else "it is empty"
                found = [_unusable(path, f"{path}: no image found ({passed}); give {KNOWN_INPUTS}")]
            cases += found
    if all(case.kind == "unusable" for case in cases):
        raise UsageError(cases[0].problem if cases else "no input given")
    return Discovery(tuple(_with_unique_ids(cases)), ignored)


def stem(path: Path) -> str:
    """File name without its image suffix, ``.nii.gz`` counting as one; a folder's whole name."""
    if path.is_dir():
        return path.resolve().name or "case"
    suffix = _suffix(path)
    return path.name[: -len(suffix)] if suffix else path.name


def _suffix(path: Path) -> str:
    name = path.name.lower()
    known = (*VOLUME_SUFFIXES[::-1], *PICTURE_SUFFIXES, ".dcm")
    return next((suffix for suffix in known if name.endswith(suffix)), "")


def _unusable(path: Path, problem: str) -> Case:
    return Case(stem(path), path, (path,), "unusable", problem)


def _file_case(path: Path) -> Case | None:
    if path.name.lower().endswith(VOLUME_SUFFIXES):
        return Case(stem(path), path, (path,), "volume")
    if path.name.lower().endswith(PICTURE_SUFFIXES):
        return Case(stem(path), path, (path,), "picture")
    if looks_like_dicom(path):
        return Case(stem(path), path, (path,), "dicom")
    return None


def _walk(folder: Path, output: Path | None) -> Iterator[tuple[Path, list[Path]]]:
    """Every folder of the tree with its visible files, sorted."""
    skipped = output.resolve() if output else None
    for name, folders, files in os.walk(folder):
        here = Path(name)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and (here / f).resolve() != skipped)
        yield here, [here / file for file in sorted(files) if not file.startswith(".")]


def _folder_cases(folder: Path, output: Path | None) -> tuple[list[Case], int]:
    cases: list[Case] = []
    ignored = 0
    for here, files in _walk(folder, output):
        dicom: list[Path] = []
        for file in files:
            case = None if stem(file).endswith("_seg") else _file_case(file)
            if case is None:
                ignored += 1
            elif case.kind == "dicom":
                dicom.append(file)
            else:
                cases.append(case)
        series = _series_cases(here, dicom)
        cases += series
        if dicom and not series:
            ignored += len(dicom)
    return cases, ignored


def _series_cases(folder: Path, files: Iterable[Path]) -> list[Case]:
    series = group_series(files)
    damaged = series.pop("", [])
    if len(series) <= 1:
        # Also with damaged files: nobody can tell that they don't belong, so the reader must see and refuse them.
        return [Case(stem(folder), folder, (folder,), "dicom")] if series or damaged else []
    cases = [
        Case(f"{stem(folder)}_series{number}", folder, tuple(series[uid]), "dicom")
        for number, uid in enumerate(sorted(series), start=1)
    ]
    return cases + [Case(stem(file), file, (file,), "dicom") for file in damaged]


def _with_unique_ids(cases: list[Case]) -> list[Case]:
    """Repeated ids get their folder's name in front, then a number where that doesn't tell them apart."""
    repeated = {case_id for case_id, count in Counter(case.case_id for case in cases).items() if count > 1}
    renamed: list[Case] = []
    taken: set[str] = {case.case_id for case in cases} - repeated
    for case in cases:
        name = case.case_id
        if name in repeated:
            name = f"{case.input.resolve().parent.name}_{name}"
        candidate, number = name, 2
        while candidate in taken and case.case_id in repeated:
            candidate, number = f"{name}-{number}", number + 1
        taken.add(candidate)
        renamed.append(replace(case, case_id=candidate))
    return renamed
