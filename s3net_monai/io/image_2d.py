"""Reading of 2-D images: upright, with the channels that a network expects."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import PILReader
from monai.utils import MetaKeys, ensure_tuple
from PIL import Image

from s3net_monai.file_formats import IMAGE_2D_SUFFIXES
from s3net_monai.io.exif import upright
from s3net_monai.io.open_image_2d import library_reason, open_image_2d
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.non_finite import fill_non_finite
from s3net_monai.utils.robust_range import robust_range

MIN_DEEP = 32  # of 255, in colors of 16 bits: 12 significant bits reach 15
_NOTES_KEY = "s3net_notes"  # of Pillow's ``info``
_COLUMNS = 256  # that are turned at a time


class Image2DReader(PILReader):
    """MONAI's ``PILReader``, which refuses bad files and keeps what its converter had to repair as "notes" of the meta.

    As in ``DicomSeriesReader``, ``read`` raises for inputs of other formats only, and a bad file is refused in
    ``get_data``, whose error ends the load.

    Args:
        converter: ``upright_rgb`` or ``upright_gray``.
        percentile: of the finite values, which takes the place of the others: as for the ``FillNonFinited`` of the
            bundle, which sees what this reader has converted.

    Example:
        >>> Image2DReader(upright_gray).verify_suffix("image.webp")
        False
    """

    def __init__(self, converter: Callable[..., Image.Image], percentile: float = 0.5) -> None:
        super().__init__(partial(converter, percentile=percentile))

    def verify_suffix(self, filename: Any) -> bool:
        """Return whether every path has the suffix of a 2-D image."""
        return all(str(path).lower().endswith(IMAGE_2D_SUFFIXES) for path in ensure_tuple(filename))

    def read(self, data: Any, **kwargs: Any) -> Any:
        """Return the converted image, several of them, or why they are refused.

        Raises:
            ValueError: if the input is of another format.
        """
        if not self.verify_suffix(data):
            raise ValueError(f"not a 2-D image: {data}")
        try:
            images = [self._converted(Path(path)) for path in ensure_tuple(data)]
        except (CaseError, MemoryError) as error:  # LoadImage would go on to other readers
            return error
        return images if len(images) > 1 else images[0]

    def get_data(self, img: Any) -> tuple[np.ndarray, dict[str, Any]]:
        """Return the 2-D image (columns, rows), or (3, columns, rows) of colors, and its MONAI metadata.

        Raises:
            CaseError: for a 2-D image that is refused.
        """
        if isinstance(img, Exception):
            raise img
        images = ensure_tuple(img)
        if len(images) == 1:
            array, meta = _planes(images[0]), self._get_meta_dict(images[0])
            meta[MetaKeys.SPATIAL_SHAPE] = self._get_spatial_shape(images[0])
            meta[MetaKeys.ORIGINAL_CHANNEL_DIM] = 0 if array.ndim == 3 else float("nan")
        else:
            array, meta = super().get_data(img)
        notes = [note for image in images for note in image.info.get(_NOTES_KEY, ())]
        for image in images:
            image.close()  # LoadImage keeps it until its own copies are made
        return array, {**meta, "notes": notes} if notes else meta

    def _converted(self, path: Path) -> Image.Image:
        try:
            with open_image_2d(path) as image:
                is_deep = image.mode.startswith("RGB") and any(";16" in str(tile) for tile in image.tile)
                image.load()
                if is_deep and int(np.asarray(image.convert("RGB")).max()) < MIN_DEEP:
                    raise CaseError(
                        "16-bit colors of which the highest bits are not used, so their scale is unknown; save it with "
                        "8 bits, or with values up to 65535"
                    )
                converted: Image.Image = self.converter(image)  # type: ignore[misc]  # given in the constructor
        except CaseError as error:
            raise error if str(error).startswith(path.name) else CaseError(f"{path.name}: {error}") from error
        except MemoryError:
            raise
        except Exception as error:  # Pillow's plugins raise whatever the damage provokes
            raise CaseError(f"{path.name}: damaged or cut off{library_reason(error, path)}; copy it again") from error
        return converted


def upright_rgb(image: Image.Image, percentile: float = 0.5) -> Image.Image:
    """Apply the EXIF orientation and convert to RGB of 8 bits.

    Gray is repeated, a palette resolved, transparency blended with white, and 16 bits scaled by their range; the
    percentile of floating point takes the place of values that are not finite.
    """
    image = upright(image)
    if image.mode == "RGB":
        return image
    if image.mode.startswith(("I", "F")):
        gray = _to_eight_bit(image, percentile)
        return _with_notes(gray.convert("RGB"), gray.info.get(_NOTES_KEY))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def upright_gray(image: Image.Image, percentile: float = 0.5) -> Image.Image:
    """Apply the EXIF orientation and convert to one channel of 8 bits; color by its luma; percentile as above."""
    image = upright(image)
    if image.mode == "L":
        return image
    if image.mode.startswith(("I", "F")):
        return _to_eight_bit(image, percentile)
    return upright_rgb(image).convert("L")


def _planes(image: Image.Image) -> np.ndarray:
    """Return the values (X, Y) of an image in gray, or (3, X, Y) in colors, as every later step passes over them.

    Some columns at a time are turned by Pillow, in blocks that fit the cache: NumPy takes four times as long, and a
    second copy of the image.
    """
    (width, height), channels = image.size, len(image.getbands())
    planes = np.empty((channels, width, height), dtype=np.uint8)
    for start in range(0, width, _COLUMNS):
        part = image.crop((start, 0, min(start + _COLUMNS, width), height)).transpose(Image.Transpose.TRANSPOSE)
        for channel in range(channels):
            planes[channel, start : start + _COLUMNS] = np.asarray(part.getchannel(channel))
    return planes if channels > 1 else planes[0]


def _to_eight_bit(image: Image.Image, percentile: float) -> Image.Image:
    """Scale 16 bits or floating point by the range of the image, in which hot pixels do not count."""
    # Pillow's own conversion of 16 bits clips everything above 255 to white.
    filled, note = fill_non_finite(np.asarray(image, dtype=np.float32)[None], percentile)
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
