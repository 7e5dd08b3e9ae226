"""Measures of masks for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s3net_monai.inference.report.hounsfield import mean_and_median
from s3net_monai.inference.report.lesion_shape import asymmetry, border_irregularity, diameter
from s3net_monai.inference.report.lung_sides import left_right_ml
from s3net_monai.labels import Label
from s3net_monai.tasks import SpecialMeasure, Task


@dataclass(frozen=True, kw_only=True)
class Measure:
    """How a measure is shown.

    Attributes:
        title: heading of its column.
        unit: the unit; empty for a ratio.
        decimals: digits after the point.
        meaning: what it is, in one line.
    """

    title: str
    unit: str
    decimals: int
    meaning: str


# The columns of report.html and the table of docs/segment.md come from here, in this order.
MEASURES: dict[str, Measure] = {
    "volume_ml": Measure(title="Volume", unit="ml", decimals=1, meaning="number of voxels times the voxel size"),
    "left_ml": Measure(title="Left", unit="ml", decimals=1, meaning="left lung, where the lungs can be told apart"),
    "right_ml": Measure(title="Right", unit="ml", decimals=1, meaning="right lung, where the lungs can be told apart"),
    "mean_hu": Measure(title="Mean", unit="HU", decimals=0, meaning="mean Hounsfield value in the mask"),
    "median_hu": Measure(title="Median", unit="HU", decimals=0, meaning="median Hounsfield value in the mask"),
    "area_px": Measure(title="Area", unit="px", decimals=0, meaning="number of pixels of the mask"),
    "area_mm2": Measure(
        title="Area", unit="mm²", decimals=1, meaning="area of the mask, where a DICOM VL image states the pixel size"
    ),
    "diameter_px": Measure(
        title="Diameter", unit="px", decimals=1, meaning="largest distance between two points of the outline (Feret)"
    ),
    "diameter_mm": Measure(
        title="Diameter", unit="mm", decimals=1, meaning="the same in mm, where a DICOM VL image states the pixel size"
    ),
    "asymmetry": Measure(
        title="Asymmetry",
        unit="",
        decimals=3,
        meaning="fraction of the area that its mirror image leaves uncovered; 0 is symmetric",
    ),
    "border_irregularity": Measure(
        title="Border", unit="", decimals=2, meaning="perimeter² / (4 pi area); 1 is a disc"
    ),
    "fraction": Measure(title="Fraction", unit="", decimals=3, meaning="fraction of the image that the mask covers"),
}

MAX_LUNG_ML = 10_000  # the largest lungs of healthy adults have about 8 l

BLOCK = 16  # slices that are measured at a time
_DECIMALS = {"volume_ml": 3, "left_ml": 3, "right_ml": 3, "fraction": 6}


def measures(
    mask: np.ndarray,
    affine: np.ndarray,
    task: Task,
    *,
    image: np.ndarray | None = None,
    in_hu: bool = True,
    spacing: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """Return the measures of every class, as ``MEASURES`` explains them.

    Args:
        mask: (X, Y, Z) label values of a volume, or (X, Y) of a 2-D image.
        affine: (4, 4) RAS+ in mm; the voxel size of a volume is its determinant.
        task: its labels are measured, each with its special measures.
        image: (X, Y, Z) in HU on the grid of the mask; values that are not finite are ignored. None (as for MR), or a
            2-D image: no Hounsfield values are measured.
        in_hu: whether the values of ``image`` are in HU; if not, the Hounsfield values are None.
        spacing: of a 2-D image whose file states it: mm between rows and between columns, the order of DICOM's
            PixelSpacing.

    Returns:
        A number per key, or None where there is nothing to measure; with several classes a dict by class name, with the
        classes that the measure applies to.
    """
    by_class = {}
    for label in task.labels:
        special_measures = task.special_measures.get(label.name, ())
        if mask.ndim == 3:
            by_class[label.name] = _of_volume(mask, affine, label, special_measures, image, in_hu)
        else:
            by_class[label.name] = _of_image_2d(mask, label, special_measures, spacing)
    if len(by_class) == 1:
        return by_class[task.labels[0].name]
    keys = [key for key in MEASURES if any(key in values for values in by_class.values())]
    return {key: {name: values[key] for name, values in by_class.items() if key in values} for key in keys}


def spacing_notes(affine: np.ndarray) -> list[str]:
    """Return a note on volumes in ml where voxels have 1 mm, since files that lost their voxel size state that.

    Args:
        affine: (4, 4) RAS+ in mm of a volume.
    """
    if np.allclose(np.linalg.norm(affine[:3, :3], axis=0), 1.0, rtol=0, atol=1e-6):
        return [
            "voxels of 1 x 1 x 1 mm, as in files that lost their size: volume_ml is then the number of voxels / 1000"
        ]
    return []


def measure_warnings(values: Mapping[str, Any]) -> list[str]:
    """Return warnings for a reader of the measures, one line each."""
    volume, left = _by_class(values.get("volume_ml", {})), _by_class(values.get("left_ml", {}))
    median = _by_class(values.get("median_hu", {}))
    warnings = []
    if any(side is None and volume[name] for name, side in left.items()):
        warnings.append("left and right lung could not be told apart")
    if any(volume[name] > MAX_LUNG_ML for name in left):
        warnings.append(
            f"the lungs have more than {MAX_LUNG_ML / 1000:g} l, which none have: review voxel size and mask"
        )
    if any((median.get(name) or 0) > 0 for name in left):
        warnings.append("the median of the lungs is above 0 HU, which no lung with air has: review values and mask")
    return warnings


def _by_class(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"": value}  # a task with one class has plain numbers


def _of_volume(
    mask: np.ndarray,
    affine: np.ndarray,
    label: Label,
    special_measures: Sequence[SpecialMeasure],
    image: np.ndarray | None,
    in_hu: bool,
) -> dict[str, Any]:
    box, count = _box_and_count(mask, label.value)
    values: dict[str, Any] = {"volume_ml": count * abs(float(np.linalg.det(affine[:3, :3]))) / 1000.0}
    if "lung_sides" in special_measures:
        values["left_ml"], values["right_ml"] = (left_right_ml(mask[box], affine, label.value) if count else None) or (
            None,
            None,
        )
    if image is not None and image.ndim == 3:
        values["mean_hu"], values["median_hu"] = (
            mean_and_median(image[box], mask[box], label.value) if in_hu else (None, None)
        )
    values["fraction"] = count / mask.size
    return _rounded(values)


def _of_image_2d(
    mask: np.ndarray,
    label: Label,
    special_measures: Sequence[SpecialMeasure],
    spacing: tuple[float, float] | None,
) -> dict[str, Any]:
    inside = mask == label.value
    count = int(np.count_nonzero(inside))
    values: dict[str, Any] = {"area_px": count}
    if spacing is not None:
        values["area_mm2"] = count * spacing[0] * spacing[1]
    if "lesion_shape" in special_measures:
        inside = inside[_bounding_box(inside)]
        values["diameter_px"] = diameter(inside)
        if spacing is not None:
            values["diameter_mm"] = diameter(inside, (spacing[1], spacing[0]))  # the first axis runs along the columns
        values["asymmetry"] = asymmetry(inside)
        values["border_irregularity"] = border_irregularity(inside)
    values["fraction"] = count / mask.size
    return _rounded(values)


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value if value is None or isinstance(value, int) else round(float(value), _DECIMALS.get(key, 3))
        for key, value in values.items()
    }


def _box_and_count(mask: np.ndarray, value: int) -> tuple[tuple[slice, ...], int]:
    """Return the smallest box around the voxels of a class in a volume (X, Y, Z), and their number."""
    hits = [np.zeros(size, dtype=bool) for size in mask.shape]
    count = 0
    for start in range(0, mask.shape[2], BLOCK):
        block = mask[..., start : start + BLOCK].T  # slice by slice, as volumes are stored
        inside: np.ndarray = np.equal(block, value)
        count += int(np.count_nonzero(inside))
        within = np.asarray(inside.any(axis=0))
        hits[0] |= within.any(axis=0)
        hits[1] |= within.any(axis=1)
        hits[2][start : start + BLOCK] = inside.any(axis=(1, 2))
    return tuple(_extent(along) for along in hits), count


def _bounding_box(inside: np.ndarray) -> tuple[slice, ...]:
    """Return the smallest box around the True elements; an empty box where there are none."""
    box: list[slice] = []
    for axis in range(inside.ndim):
        box.append(_extent(np.asarray(inside.any(axis=tuple(set(range(inside.ndim)) - {axis})))))
    return tuple(box)


def _extent(along: np.ndarray) -> slice:
    hits = np.flatnonzero(along)
    return slice(int(hits[0]), int(hits[-1]) + 1) if hits.size else slice(0, 0)
