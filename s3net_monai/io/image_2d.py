"""Reading of 2-D images: upright, with the channels that a network expects."""

from __future__ import annotations

from typing import Any

import numpy as np
from monai.data import PILReader
from PIL import Image, ImageOps

from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.non_finite import fill_non_finite
from s3net_monai.utils.robust_range import robust_range

_NOTES_KEY = "s3net_notes"  # of Pillow's ``info``


class Image2DReader(PILReader):
    """MONAI's ``PILReader``, which keeps what its converter had to repair: lines under "notes" of the metadata.

    Args:
        converter: ``upright_rgb`` or ``upright_gray``.
    """

    def read(self, data: Any, **kwargs: Any) -> Any:
        """Return the converted picture, or why it is refused: ``LoadImage`` tries other readers if this raises."""
        try:
            return super().read(data, **kwargs)
        except CaseError as error:
            return error

    def get_data(self, img: Any) -> tuple[np.ndarray, dict[str, Any]]:
        """Return the 2-D image (columns, rows[, 3]) and its MONAI metadata.

        Raises:
            CaseError: for a 2-D image that is refused.
        """
        if isinstance(img, CaseError):
            raise img
        array, meta = super().get_data(img)
        notes = getattr(img, "info", {}).get(_NOTES_KEY)
        return array, {**meta, "notes": list(notes)} if notes else meta


def upright_rgb(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation and convert to RGB of 8 bits.

    Gray is repeated, a palette resolved, transparency blended with white, and 16 bits scaled by their range.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode == "RGB":
        return image
    if image.mode.startswith(("I", "F")):
        gray = _to_eight_bit(image)
        return _with_notes(gray.convert("RGB"), gray.info.get(_NOTES_KEY))
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
    """Scale 16 bits or floating point by the range of the image, in which hot pixels do not count."""
    # Pillow's own conversion of 16 bits clips everything above 255 to white.
    filled, note = fill_non_finite(np.asarray(image, dtype=np.float32)[None], percentile=0.5)
    return _with_notes(Image.fromarray(gray_to_eight_bit(filled[0])), [note] if note else None)


def _with_notes(image: Image.Image, notes: list[str] | None) -> Image.Image:
    if notes:
        image.info[_NOTES_KEY] = notes
    return image


def gray_to_eight_bit(values: np.ndarray) -> np.ndarray:
    """Scale finite values of any range to 0 to 255; those far outside the others become the nearest of these."""
    low, high = robust_range(values)
    scale = 255.0 / (high - low) if high > low else 0.0
    scaled: np.ndarray = ((values.clip(low, high) - low) * scale).round().astype(np.uint8)
    return scaled
