"""Previews: a small image of every mask drawn over its source, for a person to review."""

from __future__ import annotations

from collections.abc import Sequence
from colorsys import hsv_to_rgb, rgb_to_hsv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from s3net_monai.io.png import save_image
from s3net_monai.tasks import Task
from s3net_monai.transforms import upside_down_axes
from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.mapped_stack import copy_in_blocks

if TYPE_CHECKING:
    from PIL import Image

WIDTH = 640
FILL_OPACITY = 0.1
GAP = 2  # pixels between the planes of a volume
MIN_ORTHOGONAL_SLICES = 8  # along every axis; with fewer, a coronal or sagittal plane shows nothing
MAX_AXIAL_PLANES, MAX_SLICES = 7, 9
COLUMNS_BY_PLANES = {1: 1, 2: 2, 4: 2}  # of the sheet; 3 for all other numbers of planes
PLANES = ("sagittal", "coronal", "axial")  # across the axes L, P, I
MAX_SAMPLES = 128  # along an axis, for the choice of planes and of the gray scale


def write_preview(
    path: Path,
    image: np.ndarray,
    mask: np.ndarray,
    *,
    affine: np.ndarray,
    task: Task,
    in_hu: bool = True,
    size: int = WIDTH,
) -> None:
    """Write ``preview`` in the format of the path's suffix, whole or not at all.

    JPEG holds a noisy slice in about 100 kB; PNG needs several times as much.
    """
    drawing = preview(image, mask, affine=affine, task=task, in_hu=in_hu, size=size)
    with atomic_path(path) as temporary:
        # Full color, or thin outlines fade; not optimized, since Pillow's buffer for that is too small for noise.
        save_image(drawing, temporary, format="JPEG", quality=85, subsampling=0)


def preview(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    affine: np.ndarray,
    task: Task,
    in_hu: bool = True,
    size: int = WIDTH,
) -> Image.Image:
    """Draw the image with every class of the mask outlined and lightly filled in its color.

    A volume is shown as axial slices at even steps through the mask, with the coronal and the sagittal plane that hold
    most of it, or, where the mask is empty, through the whole volume. Planes are those of the grid nearest to the
    patient's axes, in the radiological convention: the patient's right is on the viewer's left, anterior or superior is
    at the top. Planes are numbered from 1 along the grid. A task whose style shows slices gets only the slices along
    the last axis, as they were acquired.

    Args:
        image: (X, Y, Z) of a volume, (X, Y) or (X, Y, 3) of a 2-D image, or of such an image every n-th pixel.
        mask: (X, Y, Z) or (X, Y) label values.
        affine: (4, 4) RAS+ in mm of a volume; not used for a 2-D image.
        task: its labels are drawn in its preview style.
        in_hu: whether the window of a CT task suits the values; if not, their percentiles make the gray scale.
        size: width and greatest height in pixels.

    Returns:
        RGB, at most ``size`` wide and high.
    """
    if mask.ndim == 2:
        return _draw(_image_2d_values(image), mask.T, pixel_size=(1.0, 1.0), task=task, size=size)
    window = task.preview.window if in_hu else None
    return _draw_volume(image, mask, affine, task, size, window)


def _draw_volume(
    image: np.ndarray,
    mask: np.ndarray,
    affine: np.ndarray,
    task: Task,
    size: int,
    window: tuple[float, float] | None,
) -> Image.Image:
    from nibabel.affines import voxel_sizes
    from nibabel.orientations import apply_orientation, axcodes2ornt, io_orientation, ornt_transform

    slices_only = task.preview.planes == "slices"
    if slices_only:
        orientation = _upright_slices(affine)
    else:
        orientation = ornt_transform(io_orientation(affine), axcodes2ornt(("L", "P", "I")))
    axes = orientation[:, 0].astype(int)
    spacing, flipped = np.empty(3), np.empty(3, dtype=bool)
    spacing[axes], flipped[axes] = voxel_sizes(affine), orientation[:, 1] < 0
    image, mask = apply_orientation(image, orientation), apply_orientation(mask, orientation)  # views, not copies
    low, high = window or _percentile_window(image)

    planes = _choose_planes(mask, orthogonal=not slices_only and min(mask.shape) >= MIN_ORTHOGONAL_SLICES)
    columns = COLUMNS_BY_PLANES.get(len(planes), 3)
    cell_width = (size - GAP * (columns - 1)) // columns
    cells = []
    for axis, index in planes:
        plane: list[slice | int] = [slice(None)] * 3
        plane[axis] = index
        values = _to_eight_bit(copy_in_blocks(image[tuple(plane)]).T, low, high)
        width_mm, height_mm = np.delete(spacing, axis)
        cell = _draw(values, mask[tuple(plane)].T, pixel_size=(width_mm, height_mm), task=task, size=cell_width)
        number = mask.shape[axis] - index if flipped[axis] else index + 1  # counted along the axis of the file
        side = "" if slices_only else "A" if axis == 0 else "R"
        _annotate(cell, f"{'slice' if slices_only else PLANES[axis]} {number}", viewer_left=side)
        cells.append(cell)
    return _arrange(cells, columns, cell_width)


def _arrange(cells: Sequence[Image.Image], columns: int, width: int) -> Image.Image:
    """Arrange planes row by row on one sheet, each centered in its cell."""
    from PIL import Image

    height = max(cell.height for cell in cells)
    rows = -(-len(cells) // columns)
    sheet = Image.new("RGB", (columns * width + GAP * (columns - 1), rows * height + GAP * (rows - 1)))
    for index, cell in enumerate(cells):
        left, top = index % columns * (width + GAP), index // columns * (height + GAP)
        sheet.paste(cell, (left + (width - cell.width) // 2, top + (height - cell.height) // 2))
    return sheet


def _upright_slices(affine: np.ndarray) -> np.ndarray:
    """Return a nibabel orientation that keeps the slices and shows them the way up that the network sees."""
    orientation = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    orientation[upside_down_axes(affine), 1] = -1.0
    return orientation


def _choose_planes(mask: np.ndarray, *, orthogonal: bool) -> list[tuple[int, int]]:
    """Choose the planes of a mask (L, P, I) to show, each as (axis, index)."""
    steps = [-(-extent // MAX_SAMPLES) for extent in mask.shape]
    samples = mask[tuple(slice(step // 2, None, step) for step in steps)] != 0
    if not samples.any():  # empty, or so small that no sample met it
        steps, samples = [1, 1, 1], mask != 0
    hits = np.flatnonzero(samples.any(axis=(0, 1))) * steps[2] + steps[2] // 2
    first, last = (int(hits[0]), int(hits[-1])) if hits.size else (0, mask.shape[2] - 1)
    count = min(MAX_AXIAL_PLANES if orthogonal else MAX_SLICES, last - first + 1)
    positions = first + (np.arange(count) + 0.5) * (last - first + 1) / count - 0.5
    planes = [(2, round(float(position))) for position in positions]
    for axis in (1, 0) if orthogonal else ():
        counts = np.count_nonzero(samples, axis=tuple({0, 1, 2} - {axis}))
        fullest = int(counts.argmax()) * steps[axis] + steps[axis] // 2
        planes.append((axis, fullest if hits.size else mask.shape[axis] // 2))
    return planes


def _percentile_window(image: np.ndarray) -> tuple[float, float]:
    """Return the 1st and 99th percentiles of a volume."""
    samples = copy_in_blocks(image[tuple(slice(None, None, -(-extent // MAX_SAMPLES)) for extent in image.shape)])
    samples = samples[np.isfinite(samples)]
    return tuple(np.percentile(samples, (1, 99))) if samples.size else (0.0, 1.0)


def _image_2d_values(image: np.ndarray) -> np.ndarray:
    """Return (rows, columns[, 3]) uint8; values that are not 8-bit are stretched between minimum and maximum."""
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
    values: np.ndarray, mask: np.ndarray, *, pixel_size: tuple[float, float], task: Task, size: int
) -> Image.Image:
    """Draw a plane of uint8 (rows, columns[, 3]), or every n-th of its pixels, with its mask, fitted into ``size``.

    ``pixel_size`` is (width, height) in any unit.
    """
    from PIL import Image
    from scipy import ndimage  # whose rank filters take a tenth of the time of Pillow's

    rows, columns = mask.shape
    extent = np.array([columns * pixel_size[0], rows * pixel_size[1]])
    scale = size / extent.max()
    target = (max(1, round(extent[0] * scale)), max(1, round(extent[1] * scale)))
    step = _thinning_step(values.shape[1], values.shape[0], target)
    drawing = _fitted(values[::step, ::step], target)
    width = task.preview.outline_width
    for label in task.labels:
        inside = _resized(mask == label.value, target)
        if inside is None:
            continue
        box = _box_around(inside)
        left, top, right, bottom = box
        inside = inside[top:bottom, left:right]
        color = outline_color(label.rgb)
        part = drawing.crop(box)
        fill = Image.blend(part, Image.new("RGB", part.size, color), FILL_OPACITY)
        # The edge of the image is an edge of the mask.
        inner = ndimage.minimum_filter(inside, 2 * width + 1, mode="constant", cval=False)
        around = ndimage.maximum_filter(inside, 3)
        drawing.paste(fill, box, mask=Image.fromarray(inside))
        drawing.paste((0, 0, 0), box, mask=Image.fromarray(around & ~inside))
        drawing.paste(color, box, mask=Image.fromarray(inside & ~inner))
    return drawing


def _fitted(values: np.ndarray, target: tuple[int, int]) -> Image.Image:
    """Resize a plane of uint8 (rows, columns[, 3]) to (columns, rows) in RGB, in a third of the time of Pillow."""
    from PIL import Image

    turned = np.atleast_3d(values.swapaxes(0, 1))  # in which order planes are stored
    planes = torch.from_numpy(turned).movedim(2, 0)[None]
    fitted = F.interpolate(planes, size=target, mode="bicubic", antialias=True)[0]
    return Image.fromarray(fitted.expand(3, -1, -1).permute(2, 1, 0).contiguous().numpy())


def _box_around(inside: np.ndarray) -> tuple[int, int, int, int]:
    """Return the left, upper, right and lower end of the box around a mask (rows, columns) and its neighbors."""
    (rows, columns), (height, width) = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0)), inside.shape
    left, top = max(0, int(columns[0]) - 1), max(0, int(rows[0]) - 1)
    return left, top, min(width, int(columns[-1]) + 2), min(height, int(rows[-1]) + 2)


def thinning_step(width: int, height: int) -> int:
    """Return n, where every n-th pixel of a 2-D image along both axes suffices for its preview."""
    scale = WIDTH / max(width, height)
    return _thinning_step(width, height, (max(1, round(width * scale)), max(1, round(height * scale))))


def _thinning_step(columns: int, rows: int, target: tuple[int, int]) -> int:
    return max(1, min(columns // (2 * target[0]), rows // (2 * target[1])))  # camera images are larger than needed


def _resized(inside: np.ndarray, target: tuple[int, int]) -> np.ndarray | None:
    """Resize the mask of one class to the preview, (rows, columns) bool; None where the class is absent."""
    from PIL import Image

    if not inside.any():
        return None
    step = _thinning_step(inside.shape[1], inside.shape[0], target)
    if step > 1:  # in 8 bits, since the mask of a large image in floating point takes as much as all else
        # Columns first, as masks are stored: turning the reduced image is cheaper than turning the mask.
        turned = Image.fromarray(inside.T * np.uint8(255)).reduce(step)
        reduced = turned.transpose(Image.Transpose.TRANSPOSE).convert("F")
    else:
        reduced = Image.fromarray(inside.astype(np.float32))
    fraction = np.asarray(reduced.resize(target, Image.Resampling.BILINEAR))
    covered: np.ndarray = fraction >= (127.5 if step > 1 else 0.5)
    if not covered.any():  # a class smaller than a pixel of the preview stays visible
        covered = fraction > 0.5 * fraction.max()
    return covered


def outline_color(rgb: Sequence[int]) -> tuple[int, int, int]:
    """Return a label's hue as bright, saturated RGB: the soft colors of anatomy are hard to see on an image."""
    hue, _, _ = rgb_to_hsv(*(part / 255 for part in rgb))
    red, green, blue = (round(255 * part) for part in hsv_to_rgb(hue, 0.85, 1.0))
    return red, green, blue


def _annotate(drawing: Image.Image, text: str, *, viewer_left: str) -> None:
    from PIL import ImageDraw, ImageFont

    pen, font = ImageDraw.Draw(drawing), ImageFont.load_default(12)
    for height, anchor, words in ((drawing.height - 4, "lb", text), (drawing.height // 2, "lm", viewer_left)):
        pen.text((4, height), words, (235, 235, 235), font, anchor, stroke_width=1, stroke_fill=(0, 0, 0))
