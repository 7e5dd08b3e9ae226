"""Numbers about a mask for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s3net_monai.inference.report.lesion_shape import asymmetry, border_irregularity, diameter
from s3net_monai.inference.report.lung_sides import left_right_ml
from s3net_monai.io import Label

LUNG = "39607008"  # SNOMED CT: its mask is parted into left and right
LESION = "95324001"  # SNOMED CT skin lesion: its shape is measured


@dataclass(frozen=True)
class Measure:
    """How a measure is shown: heading, unit ("" for none), decimals, and what it is."""

    title: str
    unit: str
    decimals: int
    meaning: str


# The page's columns and the README's table come from here, in this order.
MEASURES: dict[str, Measure] = {
    "volume_ml": Measure("Volume", "ml", 1, "voxels of the mask times their size"),
    "left_ml": Measure("Left", "ml", 1, "left lung, where the lungs can be told apart"),
    "right_ml": Measure("Right", "ml", 1, "right lung, where the lungs can be told apart"),
    "mean_hu": Measure("Mean", "HU", 0, "mean Hounsfield value in the mask"),
    "median_hu": Measure("Median", "HU", 0, "median Hounsfield value in the mask"),
    "area_px": Measure("Area", "px", 0, "pixels of the mask"),
    "area_mm2": Measure("Area", "mm²", 1, "area of the mask, where the file states the size of a pixel"),
    "diameter_px": Measure("Diameter", "px", 1, "largest distance between two points of the outline (Feret)"),
    "diameter_mm": Measure("Diameter", "mm", 1, "the same in mm, where the file states the size of a pixel"),
    "asymmetry": Measure(
        "Asymmetry", "", 3, "share of the area that its mirror image leaves uncovered; 0 is symmetric"
    ),
    "border_irregularity": Measure("Border", "", 2, "perimeter² / (4 pi area); 1 is a disc"),
    "fraction": Measure("Share", "", 3, "share of the image that the mask takes"),
}

_DECIMALS = {"volume_ml": 3, "left_ml": 3, "right_ml": 3, "fraction": 6}


def measures(
    mask: np.ndarray,
    affine: np.ndarray,
    labels: Sequence[Label],
    image: np.ndarray | None = None,
    spacing: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """Measures of every class, as ``MEASURES`` explains them.

    Args:
        mask: (X, Y, Z) label values of a volume, or (X, Y) of a picture.
        affine: (4, 4) RAS+ in mm; of a volume, its determinant is the size of a voxel.
        labels: the classes.
        image: (X, Y, Z) in HU on the grid of the mask; values that are not finite are left out. None (as for MR), or a
            picture: no Hounsfield values are measured.
        spacing: of a picture whose file states it: mm between rows and between columns, the order of DICOM's
            PixelSpacing.

    Returns:
        By key a number, or None where there is nothing to measure; with several classes a dict by class name, with the
        classes that the measure applies to. ``left_ml`` and ``right_ml`` are of lungs, the shape is of skin lesions.
    """
    if mask.ndim == 3:
        found = {label.name: _of_volume(mask, affine, label, image) for label in labels}
    else:
        found = {label.name: _of_picture(mask, label, spacing) for label in labels}
    if len(labels) == 1:
        return found[labels[0].name]
    keys = [key for key in MEASURES if any(key in values for values in found.values())]
    return {key: {name: values[key] for name, values in found.items() if key in values} for key in keys}


def spacing_notes(affine: np.ndarray) -> list[str]:
    """What to know of volumes in ml where MR is said to have voxels of 1 mm, as files do that have lost their size.

    Args:
        affine: (4, 4) RAS+ in mm of a volume.
    """
    if np.allclose(np.linalg.norm(affine[:3, :3], axis=0), 1.0, rtol=0, atol=1e-6):
        return [
            "voxels of 1 x 1 x 1 mm, as where a file has lost their size: volume_ml is then the number of voxels / 1000"
        ]
    return []


def measure_warnings(values: Mapping[str, Any]) -> list[str]:
    """What a reader of the measures should know, in one line each."""
    volume, left = _by_class(values.get("volume_ml", {})), _by_class(values.get("left_ml", {}))
    if any(side is None and volume[name] for name, side in left.items()):
        return ["left and right lung could not be told apart"]
    return []


def _by_class(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"": value}  # the one class of a one-class task


def _of_volume(mask: np.ndarray, affine: np.ndarray, label: Label, image: np.ndarray | None) -> dict[str, Any]:
    box = _bounding_box(mask == label.value)
    inside = mask[box] == label.value
    count = int(np.count_nonzero(inside))
    values: dict[str, Any] = {"volume_ml": count * abs(float(np.linalg.det(affine[:3, :3]))) / 1000.0}
    if label.type.value == LUNG:
        values["left_ml"], values["right_ml"] = (left_right_ml(inside, affine) if count else None) or (None, None)
    if image is not None and image.ndim == 3:
        values["mean_hu"], values["median_hu"] = _mean_and_median(image[box], inside)
    values["fraction"] = count / mask.size
    return _rounded(values)


def _of_picture(mask: np.ndarray, label: Label, spacing: tuple[float, float] | None) -> dict[str, Any]:
    inside = mask == label.value
    count = int(np.count_nonzero(inside))
    values: dict[str, Any] = {"area_px": count}
    if spacing is not None:
        values["area_mm2"] = count * spacing[0] * spacing[1]
    if label.type.value == LESION:
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


def _bounding_box(inside: np.ndarray) -> tuple[slice, ...]:
    """Smallest box around what is True; an empty one where nothing is."""
    box: list[slice] = []
    for axis in range(inside.ndim):
        hits = np.flatnonzero(inside.any(axis=tuple(other for other in range(inside.ndim) if other != axis)))
        box.append(slice(int(hits[0]), int(hits[-1]) + 1) if hits.size else slice(0, 0))
    return tuple(box)


def _mean_and_median(image: np.ndarray, inside: np.ndarray) -> tuple[float | None, float | None]:
    # Volumes lie in memory slice by slice; indexed across that order they would be read many times as slowly.
    values = image.T[inside.T]
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    if not values.size:
        return None, None
    return float(values.mean(dtype=np.float64)), float(np.median(values))
