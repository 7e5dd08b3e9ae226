"""One image file read as a pipeline reads it: its values and notes, or why it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3net_monai.io import CaseError, Image2DReader, NiftiReader, VolumeReader, upright_gray

READERS = (Image2DReader(upright_gray), NiftiReader(), VolumeReader())


def loaded(path: Path) -> tuple[np.ndarray, list[str]]:
    """Return the values of an image and its notes."""
    reader: Any = next(reader for reader in READERS if reader.verify_suffix(path))
    array, meta = reader.get_data(reader.read(path))
    return np.asarray(array), list(meta.get("notes", []))


def refusal(path: Path) -> str:
    """Return the one line with which an image is refused; it begins with the name of the file."""
    with pytest.raises(CaseError) as error:
        loaded(path)
    assert str(error.value).startswith(f"{path.name}: ")
    assert "\n" not in str(error.value)
    return str(error.value)
