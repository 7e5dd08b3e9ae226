"""The grid of an image, and a label on it: axes are permuted and flipped, and nothing is interpolated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from s3net_monai.io.image_to_lps import STORED_FROM_UPRIGHT, exif_orientation, image_to_lps
from s3net_monai.io.label_maps.label_map import LabelMap
from s3net_monai.io.limits import MAX_SHIFT
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.geometry import LPS_TO_RAS, corner_shift

_NO_POSITION = (np.eye(4), LPS_TO_RAS)  # what arrays without geometry are saved with, in NIfTI and by ITK


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The grid of an image.

    Attributes:
        shape: (X, Y, Z) or (X, Y), without channels.
        affine: (4, 4) RAS+ in mm; None for a 2-D image.
        name: of the image, without its folder.
        image_2d: the file of a 2-D image, which may be stored turned; None for volumes.
    """

    shape: tuple[int, ...]
    affine: np.ndarray | None
    name: str
    image_2d: Path | None = None


def on_grid(label: LabelMap, grid: Grid) -> tuple[np.ndarray, list[str]]:
    """Return a label on the grid of its image, in the shape of the image, and notes for the user, one line each.

    A volume is placed by its affine. Where that does not fit, and label or image states no position (or the identity,
    which is what programs write that have lost it), voxels are taken in the order of the image's, with a note. The
    label of a 2-D image that is stored turned (EXIF) is turned with it if it fits the stored size only.

    Raises:
        CaseError: if the label has another size than the image, or lies elsewhere.
    """
    if label.affine is None or len(grid.shape) == 2 or grid.affine is None:
        return _on_image_2d(label, grid)
    lost = _without_position(label, grid)
    placed = reoriented(label, grid.affine)
    if placed.cropped:
        placed = _padded(placed, grid)
    if placed.affine is not None and placed.array.shape == grid.shape:
        shift, millimeters = corner_shift(placed.affine, grid.affine, grid.shape)
        if shift <= MAX_SHIFT:
            return placed.array, []
        if not lost:
            raise CaseError(
                f"{label.name}: lies {millimeters:.3g} mm off {grid.name}, expected on its grid; use the label of the "
                "same image, or resample it to the image"
            )
    _check_shape(label.array.shape if lost else placed.array.shape, label.name, grid)
    return label.array, [f"{lost}: states no position, so the voxels of {label.name} are in the image's order"]


def _without_position(label: LabelMap, grid: Grid) -> str:
    """The name of the label or image that states no position; an empty text where both state one.

    Two grids of 1 mm along the patient's axes that are apart both state one, although one of them is the identity.
    """
    assert label.affine is not None
    assert grid.affine is not None
    if not label.placed:
        return label.name
    if label.cropped or np.allclose(label.affine[:3, :3], grid.affine[:3, :3], atol=1e-6):
        return ""
    if _is_identity(label.affine):
        return label.name
    return grid.name if _is_identity(grid.affine) else ""


def _is_identity(affine: np.ndarray) -> bool:
    return any(np.allclose(affine, lost, atol=1e-6) for lost in _NO_POSITION)


def reoriented(label: LabelMap, affine: np.ndarray) -> LabelMap:
    """Return a label (X, Y, Z) with its axes permuted and flipped to the closest directions of another affine."""
    import nibabel.orientations as axes

    assert label.affine is not None
    turn = axes.io_orientation(np.linalg.inv(affine) @ label.affine)
    array = axes.apply_orientation(label.array, turn)
    return replace(
        label,
        array=np.ascontiguousarray(array),
        affine=label.affine @ axes.inv_ornt_aff(turn, label.array.shape),
    )


def _padded(label: LabelMap, grid: Grid) -> LabelMap:
    """Background around a cropped label up to the image's extent; foreground outside of the image is refused."""
    assert label.affine is not None
    assert grid.affine is not None
    offset = np.rint((np.linalg.inv(grid.affine) @ label.affine)[:3, 3]).astype(int)
    array = np.zeros(grid.shape, label.array.dtype)
    first, last = np.maximum(0, offset), np.minimum(grid.shape, offset + label.array.shape)
    inside = 0
    if (first < last).all():
        target = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
        source = tuple(slice(a, b) for a, b in zip(first - offset, last - offset, strict=True))
        array[target] = label.array[source]
        inside = int(np.count_nonzero(array))
    outside = int(np.count_nonzero(label.array)) - inside
    if outside:
        raise CaseError(
            f"{label.name}: {outside} voxels of the label lie outside of {grid.name}; use the label of the same image"
        )
    affine = label.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ offset
    return replace(label, array=array, affine=affine)


def _on_image_2d(label: LabelMap, grid: Grid) -> tuple[np.ndarray, list[str]]:
    """The label of a 2-D image or slice by its size alone; a cropped one by Slicer's place of the 2-D image."""
    if label.cropped and label.affine is not None and grid.image_2d is not None:
        affine = LPS_TO_RAS @ image_to_lps(grid.image_2d, grid.shape[:2])
        placed, notes = on_grid(label, replace(grid, shape=(*grid.shape[:2], 1), affine=affine, image_2d=None))
        return placed.reshape(grid.shape), notes
    array = label.array[..., 0] if label.array.ndim == 3 and label.array.shape[2] == 1 else label.array
    plane = grid.shape[:2] if grid.shape[2:] in ((), (1,)) else grid.shape
    orientation = 1 if grid.image_2d is None else exif_orientation(grid.image_2d)
    matrix = np.array(STORED_FROM_UPRIGHT[orientation])
    notes = []
    if array.shape == plane:
        if orientation != 1 and tuple(np.abs(matrix) @ plane) == plane:
            notes = [f"{label.name}: fits {grid.name} as stored and as turned by EXIF, and is taken as turned"]
    elif orientation != 1 and len(plane) == 2 and array.shape == tuple(np.abs(matrix) @ plane):
        array = _turned(array, matrix, plane)
        notes = [f"{label.name}: turned by the EXIF orientation of {grid.name}, whose stored size it has"]
    else:
        _check_shape(array.shape, label.name, replace(grid, shape=plane))
    return array.reshape(grid.shape), notes


def _turned(array: np.ndarray, matrix: np.ndarray, plane: tuple[int, ...]) -> np.ndarray:
    """Stored values at upright indices."""
    upright = np.indices(plane).reshape(2, -1)
    stored = matrix @ upright
    stored += np.where(matrix.sum(axis=1) < 0, np.array(array.shape) - 1, 0)[:, None]
    return np.asarray(array[stored[0], stored[1]].reshape(plane))


def _check_shape(shape: tuple[int, ...], name: str, grid: Grid) -> None:
    if tuple(shape) != tuple(grid.shape):
        found, expected = ("x".join(str(size) for size in sizes) for sizes in (shape, grid.shape))
        raise CaseError(
            f"{name}: label of {found}, expected {expected} as {grid.name}; use the image's own label, not "
            "a resized or cropped one"
        )
