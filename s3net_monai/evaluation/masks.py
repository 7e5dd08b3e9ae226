"""A mask and its label on one grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s3net_monai.io.label_maps.grid import Grid, on_grid, reoriented
from s3net_monai.io.label_maps.label_map import LabelMap


@dataclass(frozen=True, kw_only=True)
class MaskPair:
    """A mask and its label on one grid.

    Attributes:
        prediction: label values, (X, Y[, Z]).
        truth: label values of the label, of the same shape.
        spacing: voxel size in mm, or 1 pixel along each axis of a 2-D image.
        unit: of ``spacing``, "mm" or "px".
        notes: what a user must know about the comparison, one line each.
    """

    prediction: np.ndarray
    truth: np.ndarray
    spacing: tuple[float, ...]
    unit: str
    notes: tuple[str, ...] = ()


def on_one_grid(prediction: LabelMap, truth: LabelMap) -> MaskPair:
    """Bring a label to the grid of a mask by its affine, without interpolation.

    DICOM SEG and ``.seg.nrrd`` may omit background: they are compared on the grid of the other file, or on one that
    contains both.

    Raises:
        CaseError: if the two have different sizes, or lie elsewhere.
    """
    grid = _common_grid(prediction, truth)
    (first, notes), (second, more) = on_grid(prediction, grid), on_grid(truth, grid)
    is_volume = grid.affine is not None
    steps = np.linalg.norm(grid.affine[:3, :3], axis=0) if grid.affine is not None else np.ones(len(grid.shape))
    return MaskPair(
        prediction=first,
        truth=second,
        spacing=tuple(float(step) for step in steps),
        unit="mm" if is_volume else "px",
        notes=tuple(dict.fromkeys((*notes, *more))),
    )


def _common_grid(prediction: LabelMap, truth: LabelMap) -> Grid:
    if prediction.affine is None or truth.affine is None or not (prediction.cropped and truth.cropped):
        is_truth = truth.affine is None or (prediction.affine is not None and prediction.cropped)
        source = truth if is_truth and prediction.affine is not None else prediction
        return Grid(shape=source.array.shape, affine=source.affine, name=source.name)
    turned = reoriented(truth, prediction.affine)
    assert turned.affine is not None
    offset = np.rint((np.linalg.inv(prediction.affine) @ turned.affine)[:3, 3]).astype(int)
    first = np.minimum(0, offset)
    last = np.maximum(prediction.array.shape, offset + turned.array.shape)
    affine = prediction.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ first
    return Grid(shape=tuple(int(size) for size in last - first), affine=affine, name=prediction.name)
