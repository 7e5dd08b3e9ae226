"""The EXIF orientation of 2-D images; what is no EXIF states none, as for viewers."""

from __future__ import annotations

from PIL import ExifTags, Image, ImageOps


def stated_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of an image, 1 where it has no readable one.

    The pixels are decoded, except those of a TIFF, which Pillow turns upright when it decodes them.

    Raises:
        OSError: and other errors of Pillow, if the pixels cannot be decoded.
    """
    if image.format != "TIFF":
        image.load()
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except MemoryError:
        raise
    except Exception:  # Pillow's parser raises whatever the content provokes
        return 1


def upright(image: Image.Image) -> Image.Image:
    """Return an image as its EXIF orientation says.

    Raises:
        OSError: as ``stated_orientation``.
    """
    image.load()
    return image if stated_orientation(image) == 1 else ImageOps.exif_transpose(image)
