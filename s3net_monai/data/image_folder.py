"""The images of a plain folder, without a list of them, and their labels by name."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import cache
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from s3net_monai.data.label_names import LabelName, describe, find_labels, is_result, pair_labels
from s3net_monai.file_formats import (
    DATALIST_FILE,
    DATASET_FILE,
    DICOM_SUFFIXES,
    HTML_REPORT_NAME,
    IMAGE_2D_SUFFIXES,
    LABEL_TABLE_NAME,
    PREVIEW_SUFFIX,
    REPORT_NAME,
    VOLUME_SUFFIXES,
    VOXEL_SUFFIXES,
    known_suffix,
)
from s3net_monai.utils.errors import DataError
from s3net_monai.utils.printing import get_logger
from s3net_monai.utils.walk import problem_of, walk

IMAGE_SUFFIXES = (*VOLUME_SUFFIXES, *IMAGE_2D_SUFFIXES)
LISTS = (DATALIST_FILE, DATASET_FILE, LABEL_TABLE_NAME, REPORT_NAME, HTML_REPORT_NAME)  # no data of their own

logger = get_logger(__name__)


class _Files(NamedTuple):
    """The files of a folder, relative to it.

    Attributes:
        images: images and labels.
        results: named like masks of ``s3net segment`` or 3D Slicer, without a report that tells that a run wrote them.
        series: folders of DICOM files, absolute.
        written: number of masks and previews of earlier runs.
        others: number of files of other kinds.
    """

    images: list[PurePath]
    results: list[PurePath]
    series: list[Path]
    written: int
    others: int


def list_images(folder: Path, *, labels: bool = False) -> list[dict[str, Any]]:
    """Return the cases of a plain folder: "case_id", "image" and, on request, "label"; paths are absolute.

    Files that are no images, and labels, are passed over; a warning counts them. A file named like a mask of ``s3net
    segment`` or 3D Slicer is never an image. It is the label of an image that has no other label, unless the report of
    a run is beside it.

    Raises:
        DataError: if the folder holds no image, or if an image has two labels.
    """
    files = _walk(folder)
    found = find_labels(files.images)
    images = [path for path in files.images if path not in found]
    if not images and not files.series:
        raise DataError(
            f"{folder}: no image found, searched it and its subfolders for {', '.join(IMAGE_SUFFIXES)}, DICOM files "
            "and a datalist.json; give the folder that holds the images"
        )
    named = find_labels([*images, *files.results])
    masks = {path: named[path] for path in files.results if path in named}
    written = files.written + len(files.results) - len(masks)
    _warn(folder, len(images) + len(files.series), [*found.values(), *masks.values()], written, files.others)
    pairs: dict[PurePath, PurePath] = {}
    if labels:
        pairs = pair_labels(images, found)
        pairs |= pair_labels([image for image in images if image not in pairs], masks)
    root = folder / "images" if all(path.parts[0] == "images" for path in images) and not files.series else folder
    cases: dict[str, dict[str, Any]] = {}
    for image in sorted([*(folder / path for path in images), *files.series]):
        name = case_id_from_path(image.relative_to(root)) if image != root else root.name
        # a.png beside a.jpg: two images must not share the name of their results.
        unique = name if name not in cases else f"{name}_{image.suffix.lstrip('.')}"
        case = {"case_id": unique, "image": str(image)}
        label = None if image in files.series else pairs.get(image.relative_to(folder))
        cases[unique] = case if label is None else {**case, "label": str(folder / label)}
    return [case for _, case in sorted(cases.items())]


def _walk(folder: Path) -> _Files:
    """Sort the files of a folder and its subfolders by what their names and first bytes tell; hidden ones stay out."""
    images: list[PurePath] = []
    results: list[PurePath] = []
    series: list[Path] = []
    written = others = 0
    for subfolder, folders, names in walk(folder, onerror=_warn_of_error):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        visible = [name for name in sorted(names) if not name.startswith(".") and name not in LISTS]
        named = [name for name in visible if is_result(name)]
        masks = [name for name in named if _is_mask(name) and REPORT_NAME not in names]
        results += [(subfolder / name).relative_to(folder) for name in masks]
        written += len(named) - len(masks)
        visible = [name for name in visible if not is_result(name)]
        images += [(subfolder / name).relative_to(folder) for name in visible if name.lower().endswith(IMAGE_SUFFIXES)]
        rest = [name for name in visible if not name.lower().endswith((*IMAGE_SUFFIXES, *VOXEL_SUFFIXES))]
        if _has_dicom([subfolder / name for name in rest]):
            series.append(subfolder)
        else:
            others += len(rest)
    return _Files(images, results, series, written, others)


def _is_mask(name: str) -> bool:
    return name.lower().endswith((*IMAGE_SUFFIXES, *DICOM_SUFFIXES)) and not name.lower().endswith(PREVIEW_SUFFIX)


def case_id_from_path(path: Path) -> str:
    """Return the case identifier of an image from its path relative to the data folder, without the suffix."""
    text = path.as_posix()
    return text[: len(text) - len(known_suffix(text))].replace("/", "_").replace(" ", "_")


def _warn(folder: Path, count: int, labels: Collection[LabelName], written: int, others: int) -> None:
    """Say what was passed over, if anything was."""
    parts = [describe(labels)] if labels else []
    parts += [f"{written} masks or previews of an earlier run or of 3D Slicer"] if written else []
    parts += [f"{others} files of other kinds"] if others else []
    if parts:
        _warn_once(f"{folder}: {count} images; passed over {' and '.join(parts)}")


@cache  # a training lists its folder for every section
def _warn_once(message: str) -> None:
    logger.warning(message)


def _has_dicom(files: list[Path]) -> bool:
    if not files:
        return False
    # Importing ``io`` imports MONAI and pydicom; listing 2-D images should not wait for them.
    from s3net_monai.io.dicom.files import looks_like_dicom

    for file in files:
        try:
            if looks_like_dicom(file):
                return True
        except OSError as error:
            _warn_of_error(error)
    return False


def _warn_of_error(error: OSError) -> None:
    _warn_once(f"{os.fsdecode(error.filename)}: {problem_of(error)}")
