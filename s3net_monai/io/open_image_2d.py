"""2-D image files that are opened once: their bytes are bounded, compared with their checksums, and then decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from s3net_monai.io import limits
from s3net_monai.io.file_bytes import open_file
from s3net_monai.io.png_chunks import without_texts
from s3net_monai.io.png_stream import check_png
from s3net_monai.io.tiff_strips import check_tiff
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.reasons import NO_MEMORY, is_out_of_memory, words_of

# By content, whatever the name says: some of Pillow's other formats start programs.
IMAGE_2D_FORMATS = ("PNG", "JPEG", "BMP", "TIFF")


@contextmanager
def open_image_2d(path: Path) -> Iterator[ImageFile]:
    """Open a 2-D image whose file is undamaged as far as its format can tell; its pixels are not decoded.

    Raises:
        CaseError: if it is damaged, beyond the limits of ``io.limits``, or holds several pages.
    """
    with open_file(path, limits.MAX_IMAGE_2D_BYTES) as file:
        content = file.read()
    with _opened(path, without_texts(BytesIO(content))) as image:
        if image.format == "PNG":
            check_png(path.name, content)
        elif image.format == "TIFF":
            check_tiff(path.name, content, image)
        elif image.format == "BMP":
            _check_bmp(path.name, content, image)
        yield image


def check_image_2d(path: Path) -> tuple[int, int]:
    """Return the shape (X, Y) of a 2-D image that has passed every check of its header.

    Raises:
        CaseError: if it is damaged, beyond the limits of ``io.limits``, or holds several pages.
    """
    with open_file(path, limits.MAX_IMAGE_2D_BYTES) as file, _opened(path, without_texts(file, end=b"IDAT")) as image:
        return image.size


def library_reason(error: Exception, path: Path) -> str:
    """Return Pillow's reason in brackets; what its own code stumbled over tells a user nothing."""
    if isinstance(error, UnidentifiedImageError):  # its text describes an object in memory
        return f" (cannot identify image file {path.name!r})"
    return words_of(error, path)


def _opened(path: Path, file: BinaryIO) -> ImageFile:
    try:
        image = Image.open(file, formats=IMAGE_2D_FORMATS)
        pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    except Image.DecompressionBombError as error:  # Pillow's own limit, which lies above this one
        raise CaseError(f"{path.name}: beyond the limit of {limits.MAX_PIXELS} pixels; crop or shrink it") from error
    except Exception as error:  # Pillow's plugins raise whatever the damage provokes
        found = f"not readable as a 2-D image{library_reason(error, path)}; copy it again"
        raise CaseError(f"{path.name}: {NO_MEMORY if is_out_of_memory(error) else found}") from error
    limits.check_pixels(path.name, *image.size)
    if pages > 1:
        raise CaseError(f"{path.name}: {pages} pages found, one image expected; save each page as a file")
    return image


def _check_bmp(name: str, content: bytes, image: ImageFile) -> None:
    """Refuse a BMP whose size contradicts that of its pixels; Pillow itself refuses one that is too short.

    A color profile may follow the pixels (BITMAPV5HEADER), and zeros where the header states the bytes of the pixels.
    """
    codec, _, offset, options = image.tile[0]
    if codec != "raw" or not isinstance(options, tuple) or len(options) < 2:
        return
    row, needed = int(options[1]), int(options[1]) * image.size[1]
    after = content[offset + needed :]
    profile, profile_bytes = _bmp_profile(content)
    start = profile - offset - needed
    if profile_bytes and 0 <= start <= len(after) - profile_bytes:
        after = after[:start] + after[start + profile_bytes :]
    stated = int.from_bytes(content[34:38], "little")  # biSizeImage
    is_padding = needed <= stated < needed + row and not after.strip(b"\0")
    if len(after) >= row and not is_padding:
        raise CaseError(
            f"{name}: {len(content) - offset} bytes of pixels found, {needed} expected by its width and height; copy "
            "it again"
        )


def _bmp_profile(content: bytes) -> tuple[int, int]:
    """Return where the color profile of a BMP begins, and its bytes; 0 where there is none."""
    header = 14  # of the file, before that of the image
    has_profile = content[header + 56 : header + 60] in (b"DEBM", b"KNIL")  # bV5CSType: PROFILE_EMBEDDED, _LINKED
    if int.from_bytes(content[header : header + 4], "little") < 124 or not has_profile:
        return 0, 0
    start, size = (int.from_bytes(content[header + at : header + at + 4], "little") for at in (112, 116))
    return header + start, size  # bV5ProfileData counts from the header of the image
