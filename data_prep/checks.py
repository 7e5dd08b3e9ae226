"""Checks of a data set before training, with all problems in one message."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np

from s3net_monai.data.datalist import DatalistCase
from s3net_monai.file_formats import NIFTI_SUFFIXES
from s3net_monai.utils.errors import CaseError, DataError
from s3net_monai.utils.printing import progress_bar
from s3net_monai.utils.reasons import in_words

WORKERS = 4


class Content(NamedTuple):
    """Properties of a decoded image that are compared.

    Attributes:
        shape: along X, Y[, Z].
        affine: None for 2-D images.
        digest: of the pixels.
    """

    shape: tuple[int, ...]
    affine: np.ndarray | None
    digest: str


def check_cases(cases: Sequence[DatalistCase], num_classes: int) -> None:
    """Read every file and compare the cases with one another.

    Args:
        cases: of one data set.
        num_classes: of its labels, background included: labels are read as training reads them.

    Raises:
        DataError: with one line per problem: an image or mask that cannot be read, a mask of another size or position
            than its image, a mask with values that are no classes, two cases of one name, the same pixels in two
            splits, a patient in two splits.
    """
    problems: list[str] = []
    digests: dict[str, list[DatalistCase]] = defaultdict(list)
    with ThreadPoolExecutor(WORKERS) as pool:
        results = pool.map(partial(_check_files, num_classes=num_classes), cases)
        checked = progress_bar(results, "checks", total=len(cases), unit="case")
        for case, (case_problems, content) in zip(cases, checked, strict=True):
            problems += case_problems
            if content is not None:
                digests[content.digest].append(case)
    problems += _repeated_names(cases) + _shared_patients(cases) + _shared_pixels(digests)
    if problems:
        head = f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in {len(cases)} cases, nothing was written:"
        raise DataError(head, problems)


def _check_files(case: DatalistCase, num_classes: int) -> tuple[list[str], Content | None]:
    image, problem = _read(case.image)
    problems = [problem] if problem else []
    if case.label is not None:
        if not case.label.is_file():
            problems.append(
                f"{case.label}: no such mask, expected one for {_name(case.image)}; add it or remove the image"
            )
            return problems, image
        if image:
            problems += _label_problems(case.image, image, case.label, num_classes)
    return problems, image


def _label_problems(image: Path | list[Path], content: Content, label: Path, num_classes: int) -> list[str]:
    """The problem of a label that cannot be read, is not on its image's grid or has other values than its classes."""
    # Importing ``io`` imports MONAI and pydicom; listing 2-D images should not wait for them.
    from s3net_monai.io.label_maps.place_label import read_label_of

    file = image[0].parent if isinstance(image, list) else image
    try:
        array = read_label_of(file, label, shape=content.shape, affine=content.affine, binary=num_classes == 2)
    except CaseError as error:
        return [f"{label.parent}/{error}"]
    others = np.unique(array[(array < 0) | (array >= num_classes)])
    if len(others):
        from s3net_monai.io.label_maps.values import listed

        expected = f"expected whole numbers from 0 to {num_classes - 1}"
        return [f"{label}: the values {listed(others)} found, {expected}; renumber the mask or remove the case"]
    return []


def _read(path: Path | list[Path]) -> tuple[Content | None, str]:
    """Return the content and an empty text, or None and the problem in one line."""
    try:
        return _decode(path), ""
    except Exception as error:  # damaged data raises all kinds of errors in decoders
        found, files = "not readable", path if isinstance(path, list) else [path]
        remedy = "expected a whole image: copy it again or remove the case"
        return None, f"{_name(path)}: {in_words(error, found, remedy, *files)}"


def _decode(path: Path | list[Path]) -> Content:
    if isinstance(path, list) or path.is_dir():
        from s3net_monai.io.dicom.series import load_series

        series = load_series(path if isinstance(path, list) else [path])
        return Content(series.array.shape, series.affine, _digest(series.array))
    if path.name.lower().endswith(NIFTI_SUFFIXES):
        from s3net_monai.io.nifti_reader import load_nifti

        array, affine, _ = load_nifti(path)
        return Content(array.shape, affine, _digest(array))
    from PIL import ImageOps

    from s3net_monai.io.open_image_2d import open_image_2d

    with open_image_2d(path) as image:
        upright = ImageOps.exif_transpose(image)  # as every reader of images shows it
        return Content(upright.size, None, _digest(np.asarray(image)))


def _digest(array: np.ndarray) -> str:
    content = blake2b(f"{array.shape} {array.dtype}".encode(), digest_size=16)
    content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()


def _name(path: Path | list[Path]) -> str:
    return f"{path[0]} and {len(path) - 1} more" if isinstance(path, list) else str(path)


def _repeated_names(cases: Sequence[DatalistCase]) -> list[str]:
    groups: dict[str, list[DatalistCase]] = defaultdict(list)
    for case in cases:
        groups[case.case_id].append(case)
    return [
        f"{_name(group[1].image)}: case {name} is also {_name(group[0].image)}, expected one file per name; rename one"
        for name, group in groups.items()
        if len(group) > 1
    ]


def _shared_patients(cases: Sequence[DatalistCase]) -> list[str]:
    first: dict[str, DatalistCase] = {}
    lines = []
    for case in cases:
        earlier = first.setdefault(case.patient, case)
        if earlier.split != case.split:
            lines.append(
                f"{_name(case.image)}: patient in {case.split}, and in {earlier.split} with {_name(earlier.image)}, "
                "expected one split per patient; remove one of the two"
            )
    return lines


def _shared_pixels(digests: dict[str, list[DatalistCase]]) -> list[str]:
    lines = []
    for group in digests.values():
        for case in group[1:]:
            if case.split != group[0].split:
                lines.append(
                    f"{_name(case.image)}: same pixels in {case.split} as {_name(group[0].image)} in {group[0].split}, "
                    "expected no duplicate across splits; remove one of the two"
                )
    return lines
