"""Converters for MONAI's ``PILReader``: pictures upright and with the channels that a network expects."""

from __future__ import annotations

from PIL import Image, ImageOps


def upright_rgb(picture: Image.Image) -> Image.Image:
    """EXIF orientation applied, then RGB. Grey is repeated, a palette resolved, transparency laid on white."""
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


def upright_grey(picture: Image.Image) -> Image.Image:
    """EXIF orientation applied, then one channel of 8 bits."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode == "L":
        return picture
    if picture.mode.startswith(("I", "F")):
        return _to_eight_bit(picture)
    return upright_rgb(picture).convert("L")


def _to_eight_bit(picture: Image.Image) -> Image.Image:
    # Pillow's own conversion of 16 bits clips everything above 255 to white.
    low, high = picture.convert("F").getextrema()
    scale = 255.0 / (high - low) if high > low else 0.0
    return picture.convert("F").point(lambda value: value * scale + (-low * scale)).convert("L")
