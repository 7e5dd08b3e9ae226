"""The base of MONAI image readers for formats that hold one volume a file."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import MetaKeys, SpaceKeys, ensure_tuple

from s3net_monai.io.dicom.geometry import check_allow
from s3net_monai.io.limits import MAX_SHIFT
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.geometry import corner_shift


class VolumeFileReader(ImageReader):
    """Base of ``NiftiReader`` and ``VolumeReader``: (X, Y, Z) with a RAS+ affine, or (C, X, Y, Z) of several files.

    As in ``DicomSeriesReader``, ``read`` raises for inputs of other formats only, and a bad file is refused in
    ``get_data``, whose error ends the load: ``LoadImage`` goes on to other readers whenever ``read`` raises.

    Several files are the channels of one image, as nnU-Net stores them. Each is checked, and all share one grid.

    Args:
        allow: values of ``Irregularity`` to repair instead of refusing: "tilt" resamples sheared axes. The metadata
            describe under "notes", a list of lines, what a user must know of the position.

    Raises:
        ValueError: if a name in ``allow`` is unknown.
    """

    format_name: str

    def __init__(self, allow: Sequence[str] = ()) -> None:
        super().__init__()
        check_allow(allow)
        self.allow = tuple(allow)

    @abstractmethod
    def takes(self, path: Path) -> bool:
        """Return whether a file is of the reader's format, by its suffix."""

    @abstractmethod
    def load(self, path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
        """Return the array (X, Y, Z), the RAS+ affine (4, 4) in mm and the notes of a file.

        Raises:
            CaseError: with the reason, if it is not one sound volume of one channel.
        """

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Return whether the input is a file of the format, or several."""
        paths = [Path(path) for path in ensure_tuple(filename)]
        return bool(paths) and all(self.takes(path) for path in paths)

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> list[Path]:
        """Return the paths to read.

        Raises:
            ValueError: if the input is of another format.
        """
        if not self.verify_suffix(data):
            raise ValueError(f"not {self.format_name}: {data}")
        return [Path(path) for path in ensure_tuple(data)]

    def get_data(self, img: list[Path]) -> tuple[np.ndarray, dict[str, Any]]:
        """Load the voxels and their MONAI metadata.

        Raises:
            CaseError: with the reason, if a file is not one sound volume of one channel, or if channels have several
                grids.
        """
        array, affine, notes = self.load(img[0])
        channels = [array]
        for path in img[1:]:
            channel, own_affine, own_notes = self.load(path)
            _check_grid(path, channel, own_affine, img[0], array, affine)
            channels.append(channel)
            notes = (*notes, *(note for note in own_notes if note not in notes))
        metadata: dict[str, Any] = {
            MetaKeys.AFFINE: affine,
            MetaKeys.ORIGINAL_AFFINE: affine.copy(),
            MetaKeys.SPATIAL_SHAPE: np.asarray(array.shape),
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan") if len(channels) == 1 else 0,
            MetaKeys.SPACE: SpaceKeys.RAS,
        }
        if notes:
            metadata["notes"] = list(notes)
        return array if len(channels) == 1 else np.stack(channels), metadata


def _check_grid(
    path: Path, channel: np.ndarray, own: np.ndarray, first: Path, array: np.ndarray, affine: np.ndarray
) -> None:
    """Refuse a channel that does not lie on the grid of the first, by the rule for labels."""
    same = channel.shape == array.shape and corner_shift(own, affine, (*array.shape, 1)[:3])[0] <= MAX_SHIFT
    if not same:
        raise CaseError(
            f"{path.name}: another grid than that of {first.name} found, one for all channels of an image expected; "
            "resample it to the first"
        )
