"""MONAI image reader for labels, for the ``LoadImaged`` of a bundle's labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import MetaKeys, SpaceKeys, ensure_tuple

from s3net_monai.io.label_maps.label_map import LabelMap
from s3net_monai.io.label_maps.read_label import LABEL_SUFFIXES, read_label


class LabelReader(ImageReader):
    """Image reader for the label of one image: int32 label values (X, Y[, Z]), with a RAS+ affine where there is one.

    As in ``VolumeReader``, a bad file is refused in ``get_data``, whose error ends the load. "cropped" and
    "placed" of the ``LabelMap`` are in the metadata, for ``LabelOnImaged``.

    Args:
        binary: whether labels have only one class, so that any value beside 0 is the foreground; False where values are
            the numbers of classes, None where nobody knows.

    Example:
        >>> LabelReader(binary=True).verify_suffix("mask.PNG")
        True
    """

    def __init__(self, binary: bool | None = None) -> None:
        super().__init__()
        self.binary = binary

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Return whether the input is one file of a format that holds labels."""
        paths = [Path(path) for path in ensure_tuple(filename)]
        return len(paths) == 1 and paths[0].name.lower().endswith(LABEL_SUFFIXES)

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> Path:
        """Return the path to read.

        Raises:
            ValueError: if the input is of another format.
        """
        if not self.verify_suffix(data):
            names = ", ".join(Path(path).name for path in ensure_tuple(data))
            raise ValueError(f"{names}: not a known kind of label; give one of {', '.join(LABEL_SUFFIXES)}")
        return Path(ensure_tuple(data)[0])

    def get_data(self, img: Path) -> tuple[np.ndarray, dict[str, Any]]:
        """Load the label values and their MONAI metadata.

        Raises:
            CaseError: with the reason, if the file cannot be read or is not a label.
        """
        label: LabelMap = read_label(img, binary=self.binary)
        metadata: dict[str, Any] = {
            MetaKeys.SPATIAL_SHAPE: np.asarray(label.array.shape),
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
            "cropped": label.cropped,
            "placed": label.placed,
        }
        if label.affine is not None:
            metadata[MetaKeys.AFFINE] = label.affine
            metadata[MetaKeys.ORIGINAL_AFFINE] = label.affine.copy()
            metadata[MetaKeys.SPACE] = SpaceKeys.RAS
        return label.array, metadata
