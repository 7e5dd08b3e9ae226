"""The label of an image file, on the grid of that image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from s3net_monai.io.label_maps.grid import Grid, on_grid
from s3net_monai.io.label_maps.label_map import LabelMap
from s3net_monai.io.label_maps.read_label import read_label
from s3net_monai.utils.printing import get_logger

logger = get_logger(__name__)


def place_label(label: LabelMap, grid: Grid) -> np.ndarray:
    """Return a label in the shape of its image as ``on_grid`` does, and log its notes as warnings.

    Raises:
        CaseError: if the label has another size than the image, or lies elsewhere.
    """
    array, notes = on_grid(label, grid)
    for note in notes:
        logger.warning(note)
    return array


def read_label_of(
    image: Path, label: Path, *, shape: tuple[int, ...], affine: np.ndarray | None, binary: bool | None
) -> np.ndarray:
    """Read a label and return its values (int32) in the shape of its image.

    Args:
        image: file of the image, or the folder of a series.
        label: a file with one of ``LABEL_SUFFIXES``.
        shape: of the image, (X, Y, Z) or (X, Y), without channels.
        affine: (4, 4) of the image, RAS+ in mm; None for a 2-D image.
        binary: as in ``read_label``.

    Raises:
        CaseError: if the label cannot be read, has another size than the image, or lies elsewhere.
    """
    image_2d = image if affine is None else None
    return place_label(
        read_label(label, binary=binary), Grid(shape=shape, affine=affine, name=image.name, image_2d=image_2d)
    )
