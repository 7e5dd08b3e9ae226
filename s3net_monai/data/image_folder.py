"""The images of a plain folder, without a list of them, and their labels by name."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from s3net_monai.data.label_names import LabelName, describe, find_labels, is_result, pair_labels
from s3net_monai.file_formats import IMAGE_2D_SUFFIXES, VOLUME_SUFFIXES, known_suffix
from s3net_monai.utils.errors import DataError

IMAGE_SUFFIXES = (*VOLUME_SUFFIXES, *IMAGE_2D_SUFFIXES)
LISTS = ("datalist.json", "dataset.json", "labels.csv", "report.json", "report.html")  # no data of their own
VOXELS = (".raw", ".zraw", ".raw.gz", ".img", ".img.gz")  # of a header beside them

logger = logging.getLogger(__name__)


def list_images(folder: Path, *, labels: bool = False) -> list[dict[str, Any]]:
    """Return the cases of a plain folder: "case_id", "image" and, on request, "label"; paths are absolute.

    Files that are no images, and labels, are passed over; a warning counts them.

    Raises:
        DataError: if the folder holds no image, or if an image has two labels.
    """
    files: list[PurePath] = []
    series: list[Path] = []
    others = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        subfolder = Path(parent)
        visible = [name for name in sorted(names) if not name.startswith(".") and not is_result(name)]
        files += [(subfolder / name).relative_to(folder) for name in visible if name.lower().endswith(IMAGE_SUFFIXES)]
        rest = [name for name in visible if not name.lower().endswith((*IMAGE_SUFFIXES, *VOXELS)) and name not in LISTS]
        if _has_dicom([subfolder / name for name in rest]):
            series.append(subfolder)
        else:
            others += len(rest)
    found = find_labels(files)
    images = [path for path in files if path not in found]
    if not images and not series:
        raise DataError(
            f"{folder}: no image found, searched it and its subfolders for {', '.join(IMAGE_SUFFIXES)}, DICOM files "
            "and a datalist.json; give the folder that holds the images"
        )
    if found or others:
        _warn(folder, len(images) + len(series), found.values(), others)
    pairs = pair_labels(images, found) if labels else {}
    root = folder / "images" if all(path.parts[0] == "images" for path in images) and not series else folder
    cases: dict[str, dict[str, Any]] = {}
    for image in sorted([*(folder / path for path in images), *series]):
        name = case_id_from_path(image.relative_to(root)) if image != root else root.name
        # a.png beside a.jpg: two images must not share the name of their results.
        unique = name if name not in cases else f"{name}_{image.suffix.lstrip('.')}"
        case = {"case_id": unique, "image": str(image)}
        label = None if image in series else pairs.get(image.relative_to(folder))
        cases[unique] = case if label is None else {**case, "label": str(folder / label)}
    return [case for _, case in sorted(cases.items())]


def case_id_from_path(path: Path) -> str:
    """Return the case identifier of an image from its path relative to the data folder, without the suffix."""
    text = path.as_posix()
    return text[: len(text) - len(known_suffix(text))].replace("/", "_").replace(" ", "_")


def _warn(folder: Path, count: int, labels: Collection[LabelName], others: int) -> None:
    parts = [describe(labels)] if labels else []
    parts += [f"{others} files of other kinds"] if others else []
    _warn_once(f"{folder}: {count} images; passed over {' and '.join(parts)}")


@cache  # a training lists its folder for every section
def _warn_once(message: str) -> None:
    logger.warning(message)


def _has_dicom(files: list[Path]) -> bool:
    if not files:
        return False
    # Importing ``io`` imports MONAI and pydicom; listing 2-D images should not wait for them.
    from s3net_monai.io.dicom.files import looks_like_dicom

    return any(looks_like_dicom(file) for file in files)
