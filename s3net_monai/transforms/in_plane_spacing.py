"""Pixels of about the size that a network knows, where the header tells it and where it does not."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, cast

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform, Resize
from monai.utils import TraceKeys, ensure_tuple_rep

UNKNOWN_SPACING_MM = (
    1.0  # mm, what files state that have lost their sizes; no scanner makes short-axis pixels of exactly that
)
PLAUSIBLE_SPACING_MM = (0.3, 6.0)  # mm; beyond, the size is no patient's


class InPlaneSpacingd(MapTransform, InvertibleTransform):
    """Resample the plane of (C, X, Y[, Z]) to square pixels of ``pixdim`` mm; slices stay as they are.

    Where the pixel size is lost (exactly 1 mm, or beyond belief), the longer side of the image is taken to show
    ``longer_side`` mm: scanners interpolate to other matrices on request, but the field of view around one organ varies
    little. The inverse brings a mask back.

    The first key that a sample has tells the pixel size for all: a label follows its image, whatever its own header has
    lost.

    Args:
        keys: an image with an affine, and what has its grid.
        pixdim: the size to resample to in mm.
        longer_side: see above, in mm.
        mode: "linear" or "nearest-exact", one for all keys or one for each; the latter for labels ("nearest" would move
            them by up to half a pixel against the image).
        allow_missing_keys: whether a sample may lack some of ``keys``.

    Raises:
        ValueError: for keys of unequal grids.
    """

    def __init__(
        self,
        keys: KeysCollection,
        pixdim: float = 1.5,
        longer_side: float = 384.0,
        mode: str | Sequence[str] = "linear",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.pixdim, self.longer_side = pixdim, longer_side
        self.mode = ensure_tuple_rep(mode, len(self.keys))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        grids = {key: tuple(sample[key].shape[1:]) for key in self.key_iterator(sample)}
        if len(set(grids.values())) > 1:
            name = sample.get("case_id", "sample")
            raise ValueError(f"{name}: found grids {grids}, expected one; resample the label to its image")
        size: list[int] = []
        for key, mode in self.key_iterator(sample, self.mode):
            image = sample[key]
            size = size or self._size(image)
            before = {"orig_size": grids[key], "extra_info": {"affine": image.affine.clone()}}
            sample[key] = self.push_transform(_resized(image, size, mode), **before)
        return sample

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Resample back to the grid that came in."""
        sample = dict(data)
        for key, mode in self.key_iterator(sample, self.mode):
            trace = self.pop_transform(sample[key])
            sample[key] = _resized(sample[key], trace[TraceKeys.ORIG_SIZE], mode)
            sample[key].affine = trace[TraceKeys.EXTRA_INFO]["affine"]  # to the bit: scaling forth and back rounds
        return sample

    def _size(self, image: MetaTensor) -> list[int]:
        sizes = [int(size) for size in image.shape[1:]]
        plane = [float(spacing) for spacing in image.pixdim[:2]]
        lost = all(abs(spacing - UNKNOWN_SPACING_MM) < 1e-6 for spacing in plane)
        if lost or min(plane) < PLAUSIBLE_SPACING_MM[0] or max(plane) > PLAUSIBLE_SPACING_MM[1]:
            plane = [self.longer_side / max(sizes[:2])] * 2
        return [*(max(1, round(sizes[axis] * plane[axis] / self.pixdim)) for axis in (0, 1)), *sizes[2:]]


def _resized(image: MetaTensor, size: Sequence[int], mode: str) -> MetaTensor:
    if tuple(size) == tuple(image.shape[1:]):
        return image
    linear = "trilinear" if len(size) == 3 else "bilinear"
    resize = Resize(
        spatial_size=size,
        mode=linear if mode == "linear" else mode,
        anti_aliasing=mode == "linear",
        dtype=torch.float32,
    )
    with resize.trace_transform(False):
        return cast(MetaTensor, resize(image))
