"""Converters for MONAI's ``PILReader``: upright 2-D images with the channels that a network expects."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps


def upright_rgb(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation and convert to RGB of 8 bits.

    Gray is repeated, a palette resolved, transparency blended with white, and 16 bits scaled by their range.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode == "RGB":
        return image
    if image.mode.startswith(("I", "F")):
        return _to_eight_bit(image).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def upright_gray(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation and convert to one channel of 8 bits; color by its luma."""
    image = ImageOps.exif_transpose(image)
    if image.mode == "L":
        return image
    if image.mode.startswith(("I", "F")):
        return _to_eight_bit(image)
    return upright_rgb(image).convert("L")


def _to_eight_bit(image: Image.Image) -> Image.Image:
    # Pillow's own conversion of 16 bits clips everything above 255 to white.
    values = np.asarray(image, dtype=np.float32)
    low, high = float(values.min()), float(values.max())
    scale = 255.0 / (high - low) if high > low else 0.0
    return Image.fromarray(((values - low) * scale).round().astype(np.uint8))
