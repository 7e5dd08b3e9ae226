"""Corruptions of an image under which a mask should stay the same.

Each has the inverse mapping of the mask.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.floating]
Mask = NDArray[np.bool_]

ROTATIONS = (5.0, 10.0, 15.0, 20.0, 30.0, 45.0)
SCALES = (0.7, 0.8, 0.9, 1.1, 1.25, 1.4)
BRIGHTNESS = (0.6, 0.8, 0.9, 1.1, 1.2, 1.4)
JPEG_QUALITY = (90, 70, 50, 30, 10)


@dataclass(frozen=True, kw_only=True)
class Corruption:
    """One corruption of an image (C, X, Y[, Z]).

    Attributes:
        name: name of the corruption, or of the curve that it is a point of.
        value: position on the curve's axis; None for a flip or a rotation by a multiple of 90 degrees.
        apply: returns the corrupted image, (C, X', Y'[, Z]).
        undo: maps a mask (X', Y'[, Z]) of the corrupted image back to (X, Y[, Z]), and returns with it where the
            corrupted image shows the original.
    """

    name: str
    value: float | None
    apply: Callable[[Image], Image]
    undo: Callable[[Mask], tuple[Mask, Mask]]


def exact_corruptions() -> list[Corruption]:
    """Return the seven rotations and flips that map pixels onto pixels.

    They act on the first two spatial axes.
    """
    return [
        _exact(quarter_turns, flipped)
        for quarter_turns in range(4)
        for flipped in (False, True)
        if quarter_turns or flipped
    ]


def corruption_curves(outside: str) -> list[Corruption]:
    """Return the points of the curves of 2-D images.

    The curves are rotation and scale about the center, brightness and JPEG quality.

    Args:
        outside: how pixels beyond the frame are filled, a mode of ``scipy.ndimage.affine_transform``.
    """
    corruptions = [_affine("rotation (degrees)", value, degrees=value, outside=outside) for value in ROTATIONS]
    corruptions += [_affine("scale", value, scale=value, outside=outside) for value in SCALES]
    corruptions += [_intensity("brightness", value, _brightness(value)) for value in BRIGHTNESS]
    corruptions += [_intensity("JPEG quality", quality, _jpeg(quality)) for quality in JPEG_QUALITY]
    return corruptions


def _exact(quarter_turns: int, flipped: bool) -> Corruption:
    def apply(image: Image) -> Image:
        rotated = np.rot90(image, quarter_turns, axes=(1, 2))
        return np.ascontiguousarray(rotated[:, ::-1] if flipped else rotated)

    def undo(mask: Mask) -> tuple[Mask, Mask]:
        restored = np.rot90(mask[::-1] if flipped else mask, -quarter_turns, axes=(0, 1))
        return restored, np.ones_like(restored)

    words = ([f"rotate {90 * quarter_turns}"] if quarter_turns else []) + (["flip"] if flipped else [])
    return Corruption(name=" and ".join(words), value=None, apply=apply, undo=undo)


def _affine(name: str, value: float, *, degrees: float = 0.0, scale: float = 1.0, outside: str) -> Corruption:
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def apply(image: Image) -> Image:
        planes = np.moveaxis(image, (1, 2), (-2, -1)).reshape(-1, *image.shape[1:3])
        warped = np.stack([_sample(plane, rotation / scale, order=1, mode=outside) for plane in planes])
        stacked_sizes = [size for axis, size in enumerate(image.shape) if axis not in (1, 2)]
        return np.moveaxis(warped.reshape(*stacked_sizes, *image.shape[1:3]), (-2, -1), (1, 2))

    def undo(mask: Mask) -> tuple[Mask, Mask]:
        inverse = np.linalg.inv(rotation / scale)
        planes = np.atleast_3d(mask)
        restored = [
            _sample(planes[..., z].astype(np.uint8), inverse, order=0, mode="constant") for z in range(planes.shape[2])
        ]
        visible = _sample(np.ones(mask.shape[:2], np.uint8), inverse, order=0, mode="constant").astype(bool)
        visible = visible.reshape(*visible.shape, *[1] * (mask.ndim - 2))
        return np.stack(restored, axis=-1).reshape(mask.shape).astype(bool), np.broadcast_to(visible, mask.shape)

    return Corruption(name=name, value=value, apply=apply, undo=undo)


def _sample(plane: NDArray, matrix: NDArray, *, order: int, mode: str) -> NDArray:
    """Return the plane at ``center + matrix @ (x - center)`` for every pixel x."""
    center = (np.array(plane.shape) - 1) / 2
    return ndimage.affine_transform(plane, matrix, center - matrix @ center, order=order, mode=mode)


def _intensity(name: str, value: float, apply: Callable[[Image], Image]) -> Corruption:
    return Corruption(name=name, value=value, apply=apply, undo=lambda mask: (mask, np.ones_like(mask)))


def _brightness(factor: float) -> Callable[[Image], Image]:
    return lambda image: np.clip(image * factor, 0, 255).astype(np.float32)


def _jpeg(quality: int) -> Callable[[Image], Image]:
    def apply(image: Image) -> Image:
        from PIL import Image as PILImage

        pixels = np.moveaxis(image.round().astype(np.uint8), 0, -1)
        buffer = io.BytesIO()
        PILImage.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, "JPEG", quality=quality)
        decoded = np.asarray(PILImage.open(buffer), dtype=np.float32).reshape(pixels.shape)
        return np.moveaxis(decoded, -1, 0)

    return apply
