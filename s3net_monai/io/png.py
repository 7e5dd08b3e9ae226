"""PNG masks for pictures and single slices."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from s3net_monai.io.mask import Mask
from s3net_monai.utils.errors import UnsuitedFormatError


def write_png(mask: Mask, path: Path) -> None:
    """Write 8-bit gray PNG, rows down: 255 for the foreground of a one-class task, else the label values.

    Raises:
        UnsuitedFormatError: for a volume of several slices.
    """
    array = mask.picture()
    if array is None:
        raise UnsuitedFormatError(f"a PNG holds one slice, the mask has {mask.array.shape[2]}; ask for nifti")
    if len(mask.labels) == 1:
        array = np.where(array > 0, 255, 0)
    # MONAI stores x first, PNG stores rows first.
    save_picture(Image.fromarray(np.ascontiguousarray(array.T.astype(np.uint8))), path, format="PNG")


def save_picture(picture: Image.Image, path: Path, **options: Any) -> None:
    """Save by way of memory: Pillow, writing itself, does not notice a disk that fills up during its last write.

    Args:
        picture: to save.
        path: the file to write.
        options: for Pillow's ``save``; without "format" the path's suffix names it.

    Raises:
        OSError: when the file cannot be written whole.
    """
    buffer = BytesIO()
    picture.save(buffer, **{"format": Image.registered_extensions()[path.suffix], **options})
    path.write_bytes(buffer.getvalue())
