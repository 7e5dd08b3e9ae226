"""Labels in 2-D image files: one channel out of gray, palettes and colors that hold one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

from s3net_monai.io.exif import upright
from s3net_monai.io.open_image_2d import open_image_2d
from s3net_monai.utils.errors import CaseError

JPEG_COLOR_NOISE = 12  # difference between the channels of a gray JPEG
_LISTED = 4


def read_image_2d(path: Path) -> tuple[np.ndarray, bool]:
    """Return the stored values (X, Y) of a 2-D image, and whether its compression is lossy.

    The EXIF orientation is applied. Of a palette the numbers of its colors count; but where black is the second of
    two colors it is the background, and grays in another order than their numbers count by their gray.

    Raises:
        CaseError: as ``open_image_2d``, and for several pages, colors, and a label in the alpha channel.
        OSError: and other errors of Pillow, if pixels without a checksum are damaged.
    """
    with open_image_2d(path) as image:
        pages = getattr(image, "n_frames", 1)
        if pages > 1:
            raise CaseError(f"{path.name}: {pages} pages found, one expected; save each page as a file")
        lossy = image.format == "JPEG"
        factor = _gray_step(image) if image.format == "PNG" else 1
        turned = upright(image)
    if turned.mode == "P":
        values = _palette(turned)
    elif turned.mode == "1":
        values = np.asarray(turned).astype(np.uint8)
    elif turned.mode == "L":
        values = np.asarray(turned) // factor
    elif turned.mode.startswith(("I", "F")):
        values = np.asarray(turned)
    else:
        values = _one_channel(turned, path.name, JPEG_COLOR_NOISE if lossy else 0)
    return values.T, lossy


def _gray_step(image: ImageFile) -> int:
    """What Pillow multiplies the values of a gray PNG of 2 or 4 bits by, before it has decoded them."""
    return {"L;2": 85, "L;4": 17}.get(str(image.tile[0].args), 1) if image.tile else 1


def _one_channel(image: Image.Image, name: str, noise: int) -> np.ndarray:
    """The gray of an image whose channels agree, or an error with the colors found."""
    if "A" in image.getbands() or "a" in image.getbands():
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
        values = np.unique(alpha)
        if len(values) > 1:
            shown = ", ".join(str(value) for value in values[:_LISTED]) + (" and more" if len(values) > _LISTED else "")
            raise CaseError(
                f"{name}: transparency with the values {shown} found, one channel of label values expected; save the "
                "label as gray PNG without transparency"
            )
    rgb = np.asarray(image.convert("RGB")).astype(np.int16)
    if (rgb.max(axis=-1) - rgb.min(axis=-1)).max() > noise:
        colors = np.unique(rgb.reshape(-1, 3), axis=0)
        colored = colors[colors.max(axis=1) - colors.min(axis=1) > noise]
        shown = ", ".join(str(tuple(int(value) for value in color)) for color in colored[:_LISTED])
        more = " and more" if len(colored) > _LISTED else ""
        raise CaseError(
            f"{name}: the colors {shown}{more} found, one channel of label values expected; save the label as gray PNG"
        )
    return rgb[..., 1].astype(np.uint8)


def _palette(image: Image.Image) -> np.ndarray:
    indices = np.asarray(image)
    used = np.unique(indices)
    flat = np.array(image.getpalette("RGB") or [], dtype=np.int16)
    colors = np.zeros((256, 3), np.int16)
    colors[: len(flat) // 3] = flat.reshape(-1, 3)
    grays = colors[used]
    is_black = (grays == 0).all(axis=1)
    if len(used) == 2 and is_black.any() and not is_black[0]:
        return np.asarray((colors[indices] != 0).any(axis=-1)).astype(np.uint8)
    is_gray = (grays.max(axis=1) == grays.min(axis=1)).all()
    if is_gray and len(used) > 1 and not (np.diff(grays[:, 0]) > 0).all():
        return colors[indices][..., 0].astype(np.uint8)
    return indices
