"""MONAI image reader for labels, for the ``LoadImaged`` of a bundle's labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import MetaKeys, SpaceKeys, ensure_tuple

from s3net_monai.io.dicom.geometry import check_allow
from s3net_monai.io.label_maps.label_map import LabelMap
from s3net_monai.io.label_maps.read_label import LABEL_SUFFIXES, read_label
from s3net_monai.utils.errors import CaseError


class LabelReader(ImageReader):
    """Image reader for the label of one image: int32 label values (X, Y[, Z]), with a RAS+ affine where there is one.

    Whatever is no label is refused in ``get_data``, whose error ends the load: ``LoadImage`` goes on to MONAI's own
    readers whenever ``read`` raises. "cropped" and "placed" of the ``LabelMap`` are in the metadata, for
    ``LabelOnImaged``.

    Args:
        binary: whether labels have only one class, so that any value beside 0 is the foreground; False where values are
            the numbers of classes, None where nobody knows.
        allow: values of ``Irregularity`` to repair, as the readers of the images.

    Raises:
        ValueError: if a name in ``allow`` is unknown.

    Example:
        >>> LabelReader(binary=True).verify_suffix("mask.PNG")
        True
    """

    def __init__(self, binary: bool | None = None, allow: Sequence[str] = ()) -> None:
        super().__init__()
        check_allow(allow)
        self.allow = tuple(allow)
        self.binary = binary

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Return whether the input is one file of a format that holds labels."""
        paths = [Path(path) for path in ensure_tuple(filename)]
        return len(paths) == 1 and paths[0].name.lower().endswith(LABEL_SUFFIXES)

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> list[Path]:
        """Return the paths."""
        return [Path(path) for path in ensure_tuple(data)]

    def get_data(self, img: list[Path]) -> tuple[np.ndarray, dict[str, Any]]:
        """Load the label values and their MONAI metadata.

        Raises:
            CaseError: with the reason, if it is not one file of a known kind, cannot be read or is not a label.
        """
        if not self.verify_suffix(img):
            names = ", ".join(path.name for path in img)
            raise CaseError(f"{names}: not a known kind of label; give one of {', '.join(LABEL_SUFFIXES)}")
        label: LabelMap = read_label(img[0], binary=self.binary, allow=self.allow)
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
