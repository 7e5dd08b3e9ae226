"""MONAI image reader for CT series, for a bundle's ``LoadImaged``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import MetaKeys, SpaceKeys, ensure_tuple

from s3net_monai.io.dicom.files import looks_like_dicom
from s3net_monai.io.dicom.geometry import check_allow
from s3net_monai.io.dicom.series import load_series


class DicomSeriesReader(ImageReader):
    """Image reader for a folder of one CT series, or the list of its files: (X, Y, Z) in HU with a RAS+ affine.

    ``LoadImage`` tries the readers that a config names and, whenever ``read`` raises, goes on to MONAI's own, which
    stack all files of a folder without checks. So ``read`` raises for inputs of other formats only, and a bad series is
    refused in ``get_data``, whose error ends the load.

    Args:
        allow: values of ``Irregularity`` ("missing-slices", "tilt") to repair instead of refusing. The metadata
            describes the repairs under "notes", a list of lines.

    Raises:
        ValueError: if a name in ``allow`` is unknown.
    """

    def __init__(self, allow: Sequence[str] = ()) -> None:
        super().__init__()
        check_allow(allow)
        self.allow = tuple(allow)

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Return whether every path is a folder or a DICOM file."""
        paths = [Path(path) for path in ensure_tuple(filename)]
        return bool(paths) and all(path.is_dir() or looks_like_dicom(path) for path in paths)

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> list[Path]:
        """Return the paths to read.

        Raises:
            ValueError: if the input is of another format.
        """
        if not self.verify_suffix(data):
            raise ValueError(f"not a DICOM folder or file: {data}")
        return [Path(path) for path in ensure_tuple(data)]

    def get_data(self, img: list[Path]) -> tuple[np.ndarray, dict[str, Any]]:
        """Load the volume (columns, rows, slices) in HU and its MONAI metadata.

        Raises:
            CaseError: with the reason, if the files are not one regular CT series.
        """
        series = load_series(img, self.allow)
        return series.array, {
            MetaKeys.AFFINE: series.affine,
            MetaKeys.ORIGINAL_AFFINE: series.affine.copy(),
            MetaKeys.SPATIAL_SHAPE: np.asarray(series.array.shape),
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
            MetaKeys.SPACE: SpaceKeys.RAS,
            "notes": list(series.notes),
        }
