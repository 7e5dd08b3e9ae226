"""Changes of an image under which a mask should stay the same, each with the way back for the mask."""

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


@dataclass(frozen=True)
class Corruption:
    """One change of an image (C, X, Y[, Z]).

    Attributes:
        name: of the change, or of the curve that it is a point of.
        value: place on the curve's axis; None for a flip or quarter turn.
        apply: the image changed, (C, X', Y'[, Z]).
        undo: a mask (X', Y'[, Z]) on the changed image brought back, and where of the original (X, Y[, Z]) the changed
            image has shown it.
    """

    name: str
    value: float | None
    apply: Callable[[Image], Image]
    undo: Callable[[Mask], tuple[Mask, Mask]]


def exact_changes() -> list[Corruption]:
    """The seven turns and mirrorings of the plane of the first two spatial axes that map pixels onto pixels."""
    changes = []
    for turns in range(4):
        for mirrored in (False, True):
            if turns or mirrored:
                changes.append(_exact(turns, mirrored))
    return changes


def curves(outside: str) -> list[Corruption]:
    """Points of the curves of pictures: rotation and scale about the center, brightness and JPEG quality.

    Args:
        outside: what lies beyond the frame, a mode of ``scipy.ndimage.affine_transform``.
    """
    changes = [_moved("rotation (degrees)", value, value, 1.0, outside) for value in ROTATIONS]
    changes += [_moved("scale", value, 0.0, value, outside) for value in SCALES]
    changes += [_recolored("brightness", value, _brightness(value)) for value in BRIGHTNESS]
    changes += [_recolored("JPEG quality", quality, _jpeg(quality)) for quality in JPEG_QUALITY]
    return changes


def _exact(turns: int, mirrored: bool) -> Corruption:
    def apply(image: Image) -> Image:
        turned = np.rot90(image, turns, axes=(1, 2))
        return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)

    def undo(mask: Mask) -> tuple[Mask, Mask]:
        back = np.rot90(mask[::-1] if mirrored else mask, -turns, axes=(0, 1))
        return back, np.ones_like(back)

    words = ([f"turn {90 * turns}"] if turns else []) + (["flip"] if mirrored else [])
    return Corruption(" and ".join(words), None, apply, undo)


def _moved(name: str, value: float, degrees: float, scale: float, outside: str) -> Corruption:
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def apply(image: Image) -> Image:
        planes = np.moveaxis(image, (1, 2), (-2, -1)).reshape(-1, *image.shape[1:3])
        moved = np.stack([_sample(plane, turn / scale, order=1, mode=outside) for plane in planes])
        others = [size for axis, size in enumerate(image.shape) if axis not in (1, 2)]
        return np.moveaxis(moved.reshape(*others, *image.shape[1:3]), (-2, -1), (1, 2))

    def undo(mask: Mask) -> tuple[Mask, Mask]:
        back = np.linalg.inv(turn / scale)
        planes = np.atleast_3d(mask)
        found = [
            _sample(planes[..., z].astype(np.uint8), back, order=0, mode="constant") for z in range(planes.shape[2])
        ]
        shown = _sample(np.ones(mask.shape[:2], np.uint8), back, order=0, mode="constant").astype(bool)
        shown = shown.reshape(*shown.shape, *[1] * (mask.ndim - 2))
        return np.stack(found, axis=-1).reshape(mask.shape).astype(bool), np.broadcast_to(shown, mask.shape)

    return Corruption(name, value, apply, undo)


def _sample(plane: NDArray, matrix: NDArray, order: int, mode: str) -> NDArray:
    """The plane at ``center + matrix @ (x - center)`` for every pixel x."""
    center = (np.array(plane.shape) - 1) / 2
    return ndimage.affine_transform(plane, matrix, center - matrix @ center, order=order, mode=mode)


def _recolored(name: str, value: float, apply: Callable[[Image], Image]) -> Corruption:
    return Corruption(name, value, apply, lambda mask: (mask, np.ones_like(mask)))


def _brightness(factor: float) -> Callable[[Image], Image]:
    return lambda image: np.clip(image * factor, 0, 255).astype(np.float32)


def _jpeg(quality: int) -> Callable[[Image], Image]:
    def apply(image: Image) -> Image:
        from PIL import Image as Picture

        pixels = np.moveaxis(image.round().astype(np.uint8), 0, -1)
        buffer = io.BytesIO()
        Picture.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, "JPEG", quality=quality)
        decoded = np.asarray(Picture.open(buffer), dtype=np.float32).reshape(pixels.shape)
        return np.moveaxis(decoded, -1, 0)

    return apply
