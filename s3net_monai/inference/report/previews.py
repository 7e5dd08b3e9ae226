"""A small picture of every mask over its image, for a person to look at."""

from __future__ import annotations

from collections.abc import Sequence
from colorsys import hsv_to_rgb, rgb_to_hsv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from s3net_monai.inference.report.measures import LUNG
from s3net_monai.io import LABELS, Label
from s3net_monai.io.png import save_image
from s3net_monai.transforms import upside_down_axes
from s3net_monai.utils.atomic import atomic_path

if TYPE_CHECKING:
    from PIL import Image

WIDTH = 640
PREVIEW_SUFFIX = "_preview.jpg"
LUNG_WINDOW_HU = (-1050.0, 250.0)  # lungs dark with their vessels, soft tissue still told from bone
FILL = 0.1
MIN_PREVIEW_SLICES = 8  # along every axis; below, a reformatted plane shows nothing
PLANES = ("sagittal", "coronal", "axial")  # across the axes L, P, I
HEART = frozenset(label.type.value for label in LABELS["cardiac"])  # seen in stacks of thick, oblique slices
THINNED = 128  # samples along an axis with which planes are chosen


def write_preview(
    image: np.ndarray, mask: np.ndarray, labels: Sequence[Label], affine: np.ndarray, path: Path, size: int = WIDTH
) -> None:
    """Write ``preview`` in the format of the path's suffix, whole or not at all.

    JPEG holds a noisy slice in about 100 kB, PNG in several times as much.
    """
    picture = preview(image, mask, labels, affine, size)
    with atomic_path(path) as temporary:
        # Full color, or thin outlines fade; not optimized, since Pillow's buffer for that is too small for noise.
        save_image(picture, temporary, quality=85, subsampling=0)


def preview(
    image: np.ndarray, mask: np.ndarray, labels: Sequence[Label], affine: np.ndarray, size: int = WIDTH
) -> Image.Image:
    """The image with every class of the mask outlined and lightly filled in its color.

    A volume is shown as axial slices at even steps through the mask, and the coronal and sagittal planes that hold most
    of it; where the mask is empty, through the whole volume. Planes are those of the grid nearest to the patient's
    axes, in the radiological way: the patient's right is on the viewer's left, anterior or superior at the top. Planes
    are numbered from 1 along the grid. Of the heart the slices alone are shown, as they lie along the last axis: they
    follow the heart and not the patient. Lungs are shown in the window from -1050 to 250 HU, other volumes between
    their 1st and 99th percentiles.

    Args:
        image: (X, Y, Z) of a volume, (X, Y) or (X, Y, 3) of a picture.
        mask: (X, Y, Z) or (X, Y) label values.
        labels: the classes.
        affine: (4, 4) RAS+ in mm of a volume; a picture's is not used.
        size: width and greatest height in pixels.

    Returns:
        RGB, at most ``size`` wide and high.
    """
    if mask.ndim == 2:
        return _draw(_picture_values(image), mask.T, (1.0, 1.0), labels, size)
    return _montage(image, mask, labels, affine, size)


def _montage(
    image: np.ndarray, mask: np.ndarray, labels: Sequence[Label], affine: np.ndarray, size: int
) -> Image.Image:
    from nibabel.affines import voxel_sizes
    from nibabel.orientations import apply_orientation, axcodes2ornt, io_orientation, ornt_transform
    from PIL import Image

    stack = any(label.type.value in HEART for label in labels)
    turn = _upright_slices(affine) if stack else ornt_transform(io_orientation(affine), axcodes2ornt(("L", "P", "I")))
    spacing = np.empty(3)
    spacing[turn[:, 0].astype(int)] = voxel_sizes(affine)
    flipped = np.empty(3, dtype=bool)
    flipped[turn[:, 0].astype(int)] = turn[:, 1] < 0
    image, mask = apply_orientation(image, turn), apply_orientation(mask, turn)  # views, not copies
    low, high = _window(image, labels)

    planes = _choose_planes(mask, reformatted=not stack and min(mask.shape) >= MIN_PREVIEW_SLICES)
    columns = {1: 1, 2: 2, 4: 2}.get(len(planes), 3)
    cell = (size - 2 * (columns - 1)) // columns
    cells = []
    for axis, index in planes:
        here: list[slice | int] = [slice(None)] * 3
        here[axis] = index
        values = _to_eight_bit(image[tuple(here)].T, low, high)
        width_mm, height_mm = (spacing[other] for other in range(3) if other != axis)
        drawn = _draw(values, mask[tuple(here)].T, (width_mm, height_mm), labels, cell)
        number = mask.shape[axis] - index if flipped[axis] else index + 1  # as planes lie in the file
        side = "" if stack else "A" if axis == 0 else "R"
        _annotate(drawn, f"{'slice' if stack else PLANES[axis]} {number}", viewer_left=side)
        cells.append(drawn)
    height = max(drawn.height for drawn in cells)
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * cell + 2 * (columns - 1), rows * height + 2 * (rows - 1)))
    for place, drawn in enumerate(cells):
        left, top = place % columns * (cell + 2), place // columns * (height + 2)
        sheet.paste(drawn, (left + (cell - drawn.width) // 2, top + (height - drawn.height) // 2))
    return sheet


def _upright_slices(affine: np.ndarray) -> np.ndarray:
    """A nibabel orientation that keeps the slices and shows them the way up that the network sees."""
    turn = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    turn[upside_down_axes(affine), 1] = -1.0
    return turn


def _choose_planes(mask: np.ndarray, reformatted: bool) -> list[tuple[int, int]]:
    """(axis, index) of the planes to show of a mask (L, P, I)."""
    steps = [-(-extent // THINNED) for extent in mask.shape]
    thinned = mask[tuple(slice(step // 2, None, step) for step in steps)] != 0
    if not thinned.any():  # empty, or so small that no sample met it
        steps, thinned = [1, 1, 1], mask != 0
    hits = np.flatnonzero(thinned.any(axis=(0, 1))) * steps[2] + steps[2] // 2
    first, last = (int(hits[0]), int(hits[-1])) if hits.size else (0, mask.shape[2] - 1)
    count = min(7 if reformatted else 9, last - first + 1)
    inner = first + (np.arange(count) + 0.5) * (last - first + 1) / count - 0.5
    planes = [(2, round(float(index))) for index in inner]
    for axis in (1, 0) if reformatted else ():
        amount = np.count_nonzero(thinned, axis=tuple(other for other in range(3) if other != axis))
        most = int(amount.argmax()) * steps[axis] + steps[axis] // 2
        planes.append((axis, most if hits.size else mask.shape[axis] // 2))
    return planes


def _window(image: np.ndarray, labels: Sequence[Label]) -> tuple[float, float]:
    if any(label.type.value == LUNG for label in labels):
        return LUNG_WINDOW_HU
    sample = image[tuple(slice(None, None, -(-extent // THINNED)) for extent in image.shape)]
    sample = sample[np.isfinite(sample)]
    return tuple(np.percentile(sample, (1, 99))) if sample.size else (0.0, 1.0)


def _picture_values(image: np.ndarray) -> np.ndarray:
    """(rows, columns[, 3]) uint8: values of 8 bits as they are, others stretched between their least and greatest."""
    upright = image.swapaxes(0, 1)
    if upright.dtype == np.uint8:
        return upright
    finite = upright[np.isfinite(upright)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low >= 0 and 1 < high <= 255:  # 8 bits in a wider type
        low, high = 0.0, 255.0
    return _to_eight_bit(upright, low, high)


def _to_eight_bit(values: np.ndarray, low: float, high: float) -> np.ndarray:
    scaled = (values.astype(np.float32) - low) * (255.0 / max(high - low, 1e-6))
    return np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0).clip(0, 255).astype(np.uint8)


def _draw(
    values: np.ndarray, mask: np.ndarray, pixel_size: tuple[float, float], labels: Sequence[Label], size: int
) -> Image.Image:
    """A plane of uint8 (rows, columns[, 3]) with its mask, fitted into ``size``; ``pixel_size`` is (width, height)."""
    from PIL import Image, ImageChops, ImageFilter, ImageOps

    rows, columns = mask.shape
    extent = np.array([columns * pixel_size[0], rows * pixel_size[1]])
    scale = size / extent.max()
    target = (max(1, round(extent[0] * scale)), max(1, round(extent[1] * scale)))
    step = max(
        1, min(columns // (2 * target[0]), rows // (2 * target[1]))
    )  # camera pictures are far larger than needed
    values = np.ascontiguousarray(values[::step, ::step])
    picture = Image.fromarray(values).convert("RGB").resize(target, Image.Resampling.BICUBIC)
    for label in labels:
        inside = _resized(mask == label.value, target)
        if inside is None:
            continue
        color = outline_color(label)
        picture = Image.composite(Image.blend(picture, Image.new("RGB", target, color), FILL), picture, inside)
        thick = 1 if label.type.value == LUNG else 2
        framed = ImageOps.expand(inside, thick)  # the edge of the picture is an edge of the mask
        inner = ImageOps.crop(framed.filter(ImageFilter.MinFilter(2 * thick + 1)), thick)
        picture.paste((0, 0, 0), mask=ImageChops.subtract(inside.filter(ImageFilter.MaxFilter(3)), inside))
        picture.paste(color, mask=ImageChops.subtract(inside, inner))
    return picture


def _resized(inside: np.ndarray, target: tuple[int, int]) -> Image.Image | None:
    """The class at the size of the picture, 0 or 255; None where there is none of it."""
    from PIL import Image

    if not inside.any():
        return None
    share = np.asarray(Image.fromarray(inside.astype(np.float32)).resize(target, Image.Resampling.BILINEAR))
    kept = share >= 0.5
    if not kept.any():  # a class smaller than a pixel of the preview is still to be seen
        kept = share > 0.5 * share.max()
    return Image.fromarray(kept.astype(np.uint8) * 255)


def outline_color(label: Label) -> tuple[int, int, int]:
    """RGB of the label's hue, bright and full: the soft colors of anatomy are lost on an image."""
    hue, _, _ = rgb_to_hsv(*(part / 255 for part in label.rgb))
    red, green, blue = (round(255 * part) for part in hsv_to_rgb(hue, 0.85, 1.0))
    return red, green, blue


def _annotate(picture: Image.Image, text: str, viewer_left: str) -> None:
    from PIL import ImageDraw, ImageFont

    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    for height, anchor, words in ((picture.height - 4, "lb", text), (picture.height // 2, "lm", viewer_left)):
        pen.text((4, height), words, (235, 235, 235), font, anchor, stroke_width=1, stroke_fill=(0, 0, 0))
