"""MONAI image reader for CT series, for use by name in a bundle's ``LoadImaged``."""

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
    """Reads a folder of one CT series, or the list of its files, as (X, Y, Z) in HU with a RAS+ affine.

    ``LoadImage`` tries the readers that a config names and goes on to MONAI's own, which stack whatever lies in a
    folder, whenever ``read`` raises. So ``read`` raises for inputs of other formats alone, and a bad series is refused
    in ``get_data``, whose error ends the load.

    ``allow``: irregularities to mend instead of refusing ("missing-slices", "tilt"); what was done stands in the
    metadata under "notes", a list of lines.
    """

    def __init__(self, allow: Sequence[str] = ()) -> None:
        super().__init__()
        check_allow(allow)
        self.allow = tuple(allow)

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Whether every path is a folder or a DICOM file."""
        paths = [Path(path) for path in ensure_tuple(filename)]
        return bool(paths) and all(path.is_dir() or looks_like_dicom(path) for path in paths)

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> list[Path]:
        """The paths to read.

        Raises:
            ValueError: when the input is of another format.
        """
        if not self.verify_suffix(data):
            raise ValueError(f"not a DICOM folder or file: {data}")
        return [Path(path) for path in ensure_tuple(data)]

    def get_data(self, img: list[Path]) -> tuple[np.ndarray, dict[str, Any]]:
        """Volume in HU (columns, rows, slices) and MONAI metadata.

        Raises:
            CaseError: with the named reason where the files are not one regular CT series.
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
