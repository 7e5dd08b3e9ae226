"""MONAI image reader for CT and MR series, for a bundle's ``LoadImaged``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import MetaKeys, SpaceKeys, ensure_tuple

from s3net_monai.io.dicom.files import looks_like_dicom
from s3net_monai.io.dicom.geometry import check_allow
from s3net_monai.io.dicom.grid import OUTSIDE, Allocate
from s3net_monai.io.dicom.phases import parse_phase
from s3net_monai.io.dicom.series import load_series


class DicomSeriesReader(ImageReader):
    """Image reader for a folder of one series, or the list of its files: (X, Y, Z) with a RAS+ affine, CT in HU.

    Of a cine series of MR, it reads one phase: the files of that phase, or ``file#phase=3`` where one enhanced object
    holds several.

    ``LoadImage`` tries the readers that a config names and, whenever ``read`` raises, goes on to MONAI's own, which
    stack all files of a folder without checks. So ``read`` raises for inputs of other formats only, and a bad series is
    refused in ``get_data``, whose error ends the load.

    Args:
        allow: values of ``Irregularity`` ("missing-slices", "tilt") to repair instead of refusing. The metadata
            describes the repairs under "notes", a list of lines.
        modality: "CT" or "MR", which the series must be.

    Raises:
        ValueError: if a name in ``allow``, or the modality, is unknown.

    Example:
        >>> DicomSeriesReader(modality="MR").verify_suffix("image.png")
        False
    """

    def __init__(self, allow: Sequence[str] = (), modality: str = "CT") -> None:
        super().__init__()
        check_allow(allow)
        if modality not in OUTSIDE:
            raise ValueError(f"modality {modality!r} is not known; give {' or '.join(OUTSIDE)}")
        self.allow = tuple(allow)
        self.modality = modality

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Return whether every path is a folder or a DICOM file."""
        paths = [parse_phase(str(path))[0] for path in ensure_tuple(filename)]
        return bool(paths) and all(path.is_dir() or looks_like_dicom(path) for path in paths)

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> list[str]:
        """Return the paths to read, with the phase that they name.

        Raises:
            ValueError: if the input is of another format.
        """
        if not self.verify_suffix(data):
            raise ValueError(f"not a DICOM folder or file: {data}")
        return [str(path) for path in ensure_tuple(data)]

    def get_data(self, img: list[str], allocate: Allocate = np.empty) -> tuple[np.ndarray, dict[str, Any]]:
        """Load the volume (columns, rows, slices), CT in HU, and its MONAI metadata.

        Args:
            img: the paths, as ``read`` returns them.
            allocate: makes the array (slices, rows, columns), which may be in a file.

        Raises:
            CaseError: with the reason, if the files are not one regular series of the reader's modality, or hold
                several phases and no path names one.
        """
        paths = [parse_phase(str(path))[0] for path in img]
        series = load_series(paths, self.allow, self.modality, parse_phase(str(img[0]))[1], allocate)
        return series.array, {
            MetaKeys.AFFINE: series.affine,
            MetaKeys.ORIGINAL_AFFINE: series.affine.copy(),
            MetaKeys.SPATIAL_SHAPE: np.asarray(series.array.shape),
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
            MetaKeys.SPACE: SpaceKeys.RAS,
            "notes": list(series.notes),
        }
