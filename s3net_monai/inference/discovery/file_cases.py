"""The case of a single file, by its name or its first bytes."""

from __future__ import annotations

from pathlib import Path

from s3net_monai.data.label_names import is_result
from s3net_monai.file_formats import IMAGE_2D_SUFFIXES, SEGMENTATION_SUFFIX, VOLUME_SUFFIXES, suffixes_of
from s3net_monai.inference.discovery.case_ids import stem
from s3net_monai.inference.discovery.cases import Case, Kind
from s3net_monai.io.dicom.files import looks_like_dicom
from s3net_monai.utils.walk import problem_of


def unusable_case(display_path: Path, problem: str) -> Case:
    """Return a case that already failed in discovery."""
    return Case(case_id=stem(display_path), input=display_path, image=(display_path,), kind="unusable", problem=problem)


def is_archive(path: Path) -> bool:
    """Return whether a file is an archive by its name."""
    return path.name.lower().endswith(suffixes_of("archive"))


def file_case(path: Path, display_path: Path) -> Case | None:
    """Return the case of one file by its name, or by its first bytes for DICOM; None if it is no image."""
    name = path.name.lower()
    kind: Kind
    if name.endswith(SEGMENTATION_SUFFIX):
        return unusable_case(display_path, f"{path.name}: a segmentation, not an image; give the image")
    if name.endswith(VOLUME_SUFFIXES):
        kind = "volume"
    elif name.endswith(IMAGE_2D_SUFFIXES):
        kind = "image_2d"
    elif looks_like_dicom(path):
        kind = "dicom_series"
    else:
        return None
    return Case(case_id=stem(path), input=display_path, image=(path,), kind=kind)


def found_case(path: Path, display_path: Path) -> Case | None:
    """Return the case of a file in a searched folder: none for results, an unusable one for what cannot be opened."""
    if is_result(path.name):
        return None
    try:
        return file_case(path, display_path)
    except OSError as error:
        return unusable_case(display_path, f"{path.name}: {problem_of(error)}")
