"""The last reader of every list: what no other reader takes is refused, and never left to MONAI's own readers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import ImageReader
from monai.utils import ensure_tuple

from s3net_monai.utils.errors import CaseError


class RefuseOthersReader(ImageReader):
    """Reader that takes every input and refuses it.

    ``LoadImage`` tries the readers of a config from the last to the first, and then MONAI's own, which stack a DICOM
    folder with missing slices, and ignore units and shears. First in the list, this reader ends the search: its
    ``read`` never raises, and the error of its ``get_data`` ends the load.

    Args:
        expected: what the other readers of the list take, for the message.

    Example:
        >>> reader = RefuseOthersReader(expected="a CT volume as NIfTI")
        >>> reader.get_data(reader.read("a.npy"))
        Traceback (most recent call last):
        s3net_monai.utils.errors.CaseError: a.npy: no reader takes it, a CT volume as NIfTI expected; convert it
    """

    def __init__(self, expected: str) -> None:
        super().__init__()
        self.expected = expected

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Return True."""
        return True

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> list[Path]:
        """Return the paths."""
        return [Path(path) for path in ensure_tuple(data)]

    def get_data(self, img: list[Path]) -> tuple[np.ndarray, dict[str, Any]]:
        """Refuse the input.

        Raises:
            CaseError: always.
        """
        more = f" and {len(img) - 1} more" if len(img) > 1 else ""
        raise CaseError(f"{img[0].name}{more}: no reader takes it, {self.expected} expected; convert it")
