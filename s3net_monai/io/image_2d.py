"""Converters for MONAI's ``PILReader``: pictures upright and with the channels that a network expects."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps


def upright_rgb(picture: Image.Image) -> Image.Image:
    """EXIF orientation applied, then RGB of 8 bits.

    Gray is repeated, a palette resolved, transparency laid on white, 16 bits scaled by the range they use.
    """
    picture = ImageOps.exif_transpose(picture)
    if picture.mode == "RGB":
        return picture
    if picture.mode.startswith(("I", "F")):
        return _to_eight_bit(picture).convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, picture).convert("RGB")
    return picture.convert("RGB")


def upright_gray(picture: Image.Image) -> Image.Image:
    """EXIF orientation applied, then one channel of 8 bits; color by its luma."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode == "L":
        return picture
    if picture.mode.startswith(("I", "F")):
        return _to_eight_bit(picture)
    return upright_rgb(picture).convert("L")


def _to_eight_bit(picture: Image.Image) -> Image.Image:
    # Pillow's own conversion of 16 bits clips everything above 255 to white.
    values = np.asarray(picture, dtype=np.float32)
    low, high = float(values.min()), float(values.max())
    scale = 255.0 / (high - low) if high > low else 0.0
    return Image.fromarray(((values - low) * scale).round().astype(np.uint8))
