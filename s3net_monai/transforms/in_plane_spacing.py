"""In-plane resampling to one pixel size, also where the header does not state the size."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, cast

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform, Resize
from monai.utils import TraceKeys, ensure_tuple_rep

from s3net_monai.transforms.smooth_resize import SmoothResize

# Files that have lost their pixel size state exactly 1 mm; no scanner makes short-axis pixels of exactly that size.
UNKNOWN_SPACING_MM = 1.0
PLAUSIBLE_SPACING_MM = (0.3, 6.0)  # outside this range the size is not that of a patient
MAX_AT_ONCE = 2**23  # voxels; MONAI's smoothing keeps several copies of all of them


class InPlaneSpacingd(MapTransform, InvertibleTransform):
    """Resample the plane of (C, X, Y[, Z]) to square pixels; slices stay as they are.

    Where the pixel size is unknown (exactly 1 mm, or implausible), the longer side of the image is assumed to be
    ``longer_side`` mm: scanners interpolate to other matrices on request, but the field of view around one organ varies
    little. The inverse maps a mask back.

    The first key that a sample has gives the pixel size for all: a label follows its image, whatever geometry its own
    header has lost.

    Args:
        keys: an image with an affine, and arrays on its grid.
        pixdim: pixel size to resample to, in mm.
        longer_side: see above, in mm.
        mode: "linear" or "nearest-exact", one for all keys or one per key; the latter is for labels ("nearest" would
            move them by up to half a pixel against the image).
        allow_missing_keys: whether a sample may lack some of ``keys``.

    Raises:
        ValueError: for keys of unequal grids.

    Example:
        >>> import torch
        >>> from monai.data import MetaTensor
        >>> image = MetaTensor(torch.rand(1, 30, 20, 2), affine=torch.diag(torch.tensor([3.0, 3.0, 8.0, 1.0])))
        >>> InPlaneSpacingd("image", pixdim=1.5)({"image": image})["image"].shape
        torch.Size([1, 60, 40, 2])
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        pixdim: float = 1.5,
        longer_side: float = 384.0,
        mode: str | Sequence[str] = "linear",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.pixdim, self.longer_side = pixdim, longer_side
        self.mode = ensure_tuple_rep(mode, len(self.keys))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample resampled to ``pixdim``."""
        sample = dict(data)
        grids = {key: tuple(sample[key].shape[1:]) for key in self.key_iterator(sample)}
        if len(set(grids.values())) > 1:
            name = sample.get("case_id", "sample")
            raise ValueError(f"{name}: found grids {grids}, expected one; resample the label to its image")
        target_size: list[int] = []
        for key, mode in self.key_iterator(sample, self.mode):
            image = sample[key]
            target_size = target_size or self._target_size(image)
            original = {"orig_size": grids[key], "extra_info": {"affine": image.affine.clone()}}
            sample[key] = self.push_transform(_resized(image, target_size, mode), **original)
        return sample

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Resample back to the original grid."""
        sample = dict(data)
        for key, mode in self.key_iterator(sample, self.mode):
            trace = self.pop_transform(sample[key])
            sample[key] = _resized(sample[key], trace[TraceKeys.ORIG_SIZE], mode)
            # Restored bit by bit, since scaling an affine back and forth rounds.
            sample[key].affine = trace[TraceKeys.EXTRA_INFO]["affine"]
        return sample

    def _target_size(self, image: MetaTensor) -> list[int]:
        sizes = [int(size) for size in image.shape[1:]]
        plane = [float(spacing) for spacing in image.pixdim[:2]]
        unknown = all(abs(spacing - UNKNOWN_SPACING_MM) < 1e-6 for spacing in plane)
        if unknown or min(plane) < PLAUSIBLE_SPACING_MM[0] or max(plane) > PLAUSIBLE_SPACING_MM[1]:
            plane = [self.longer_side / max(sizes[:2])] * 2
        return [*(max(1, round(sizes[axis] * plane[axis] / self.pixdim)) for axis in (0, 1)), *sizes[2:]]


def _resized(image: MetaTensor, size: Sequence[int], mode: str) -> MetaTensor:
    if tuple(size) == tuple(image.shape[1:]):
        return image
    if mode == "linear" and image[0].numel() > MAX_AT_ONCE and size[0] < image.shape[1]:
        smooth = SmoothResize(size[:2])
        with smooth.trace_transform(False):
            return smooth(image)
    linear = "trilinear" if len(size) == 3 else "bilinear"
    resize = Resize(
        spatial_size=size,
        mode=linear if mode == "linear" else mode,
        anti_aliasing=mode == "linear",
        dtype=torch.float32,
    )
    with resize.trace_transform(False):
        return cast(MetaTensor, resize(image))
