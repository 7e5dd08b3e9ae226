"""Writer of PNG masks for 2-D images and single slices."""

from __future__ import annotations

import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from s3net_monai.io.mask import Mask
from s3net_monai.utils.errors import UnsuitedFormatError


def write_png(mask: Mask, path: Path) -> None:
    """Write a mask as 8-bit gray PNG: 255 for the foreground of a one-class task, else the label values.

    Raises:
        UnsuitedFormatError: if the mask has several slices.
    """
    array = mask.as_2d()
    if array is None:
        raise UnsuitedFormatError(f"a PNG holds one slice, the mask has {mask.array.shape[2]}; ask for nifti")
    if len(mask.labels) == 1:
        array = (array > 0) * np.uint8(255)
    # MONAI stores x first, PNG stores rows first. Pillow turns in blocks that fit the cache, numpy line by line.
    image = Image.fromarray(array.astype(np.uint8, copy=False)).transpose(Image.Transpose.TRANSPOSE)
    # Runs of equal pixels are all that a mask has: files are a little smaller, in two thirds of the time.
    save_image(image, path, format="PNG", compress_type=zlib.Z_RLE)


def save_image(image: Image.Image, path: Path, **options: Any) -> None:
    """Save a 2-D image by way of memory.

    Pillow, when it writes to disk itself, does not notice a disk that fills up during its last write.

    Args:
        image: to save.
        path: the file to write.
        options: for Pillow's ``save``; without "format" the path's suffix decides.

    Raises:
        OSError: if the file cannot be written completely.
    """
    buffer = BytesIO()
    if "format" not in options:
        options["format"] = Image.registered_extensions()[path.suffix]  # imports Pillow's every format
    image.save(buffer, **options)
    path.write_bytes(buffer.getvalue())
