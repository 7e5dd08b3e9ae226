"""What the values of a CT are: Hounsfield units or not, padding, or negative values that had wrapped."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform
from scipy import ndimage

from s3net_monai.transforms.notes import add_note, named_refusal
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.mapped_stack import copy_in_blocks
from s3net_monai.utils.robust_range import robust_range

HOUNSFIELD_KEY = "hounsfield"  # of the metadata
AIR_HU = -1024.0
HIGHEST_HU = 4096.0  # metal aside, no CT has more
WRAP = 65536.0  # of unsigned 16 bits
_PADDING_LEVEL = -200.0  # tissue that is no lung is above
_NEGATIVE = -20.0  # fat, lung and air are below; z-scores are not
_DENSE = 700.0  # bone is above, and water stored with an offset of 1000
_ROBUST = 0.01  # fraction of the voxels that is more than a few extreme ones
_RARE = 0.001
_MAX_DENSE = 0.15
_MAX_SAMPLES = 128  # along an axis: what is judged here does not depend on every voxel


class CTValuesd(MapTransform):
    """Set padding far above all tissue to air, restore wrapped values, and judge whether a CT is in HU.

    The metadata get "hounsfield", a bool. A CT in HU without such defects, and any 8-bit image, passes unchanged.

    * A constant above 4096 that is joined to the border of its slices, where nothing else is above, is padding.
    * Negative values that were stored as unsigned 16 bits are above 61440; 65536 is subtracted from them.
    * A CT is in HU if it has a robust share of negative values and bone is rare, padding left out. Where it is not in
      HU, a constant that pads it below is set to the level of its lowest other values.

    Args:
        keys: CT images, (1, X, Y[, Z]).

    Raises:
        CaseError: for values that no CT can have.

    Example:
        >>> import torch
        >>> from monai.data import MetaTensor
        >>> scan = MetaTensor(torch.tensor([64512.0, 64700.0, 40.0, 60.0]).expand(1, 4, 4, 4).clone())
        >>> scan[0, :, 1] = 50.0
        >>> result = CTValuesd("image")({"image": scan})["image"]
        >>> result[0, 0, 0].tolist(), result.meta["hounsfield"]
        ([-1024.0, -836.0, 40.0, 60.0], True)
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with the values of a CT, and what they are."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            image = sample[key]
            with named_refusal(sample, key):
                channels = [
                    read_ct_values(channel.cpu().numpy(), slice_axis(image)) for channel in torch.as_tensor(image)
                ]
            if any(notes for _, _, notes in channels):
                sample[key] = image.clone()
                sample[key][...] = torch.as_tensor(np.stack([values for values, _, _ in channels]))
            in_hu = all(channel_in_hu for _, channel_in_hu, _ in channels)
            for note in dict.fromkeys(note for _, _, notes in channels for note in notes):
                add_note(sample, key, note)
            if not in_hu and image.ndim == 4:
                add_note(sample, key, "the values are not Hounsfield units, so none are measured")
            if hasattr(image, "meta"):
                sample[key].meta[HOUNSFIELD_KEY] = in_hu
        return sample


def slice_axis(image: Any) -> int:
    """Return the axis (of X, Y, Z) of an image (C, X, Y[, Z]) that is closest to the patient's long axis."""
    affine = getattr(image, "affine", None)
    if image.ndim < 4 or affine is None:
        return 2
    return int(np.abs(np.asarray(affine)[2, :3]).argmax())


def read_ct_values(values: np.ndarray, axis: int = 2) -> tuple[np.ndarray, bool, list[str]]:
    """Return the values of a CT, whether they are in HU, and one line per change.

    Args:
        values: (X, Y[, Z]) as read; not changed.
        axis: across the slices.

    Raises:
        CaseError: for values that no CT can have.
    """
    notes: list[str] = []
    padding = _high_padding(values, axis)
    restored = _unwrapped(values, padding)
    if restored is not None:
        notes.append("its negative values had wrapped to unsigned 16 bits and were restored")
    changed = values if restored is None else restored
    if padding is not None:
        padded = values == padding
        _check_inside(padded, padding, axis)
        notes.append(_padding_note(padding, padded))
        changed = np.where(padded, np.float32(AIR_HU), changed)
    in_hu = is_hounsfield(changed, axis)
    low = None if in_hu else _low_padding(_samples(changed), axis)
    if low is not None:
        below = changed == low
        changed = np.where(below, np.float32(robust_range(changed[~below])[0]), changed)
        if padding is None:
            notes.append(_padding_note(low, below))
    return changed, in_hu, notes


def is_hounsfield(values: np.ndarray, axis: int = 2) -> bool:
    """Return whether a CT is in HU: where padding is left out, it has negative values, and bone is rare.

    A single extreme value decides nothing, and neither does a background that lies outside the scale.

    Args:
        values: (X, Y[, Z]), finite.
        axis: across the slices.
    """
    samples = _samples(values)
    padding = _low_padding(samples, axis)
    rest = samples if padding is None else samples[samples != padding]
    if not rest.size:
        return bool(values.min() < _PADDING_LEVEL)
    return bool((rest < _NEGATIVE).mean() >= _ROBUST and (rest > _DENSE).mean() < _MAX_DENSE)


def _padding_note(value: float, padded: np.ndarray) -> str:
    return f"a constant of {value:g} around the scan ({padded.mean():.0%} of it) was read as air"


def _check_inside(padded: np.ndarray, value: float, axis: int) -> None:
    """Refuse a constant far above all else inside the body: what was there, mostly lung, was lost."""
    inside = padded & ~_joined_to_border(padded, axis)
    if inside.mean() >= _ROBUST:
        raise _no_ct_value(inside, value)


def _no_ct_value(where: np.ndarray, value: float) -> CaseError:
    return CaseError(
        f"{where.mean():.0%} of the voxels have values such as {value:g}, at most {HIGHEST_HU:g} expected in a CT; "
        "export it again in Hounsfield units with signed values"
    )


def _samples(values: np.ndarray) -> np.ndarray:
    volume = np.atleast_3d(values)
    return copy_in_blocks(volume[tuple(slice(None, None, -(-size // _MAX_SAMPLES)) for size in volume.shape)])


def _low_padding(samples: np.ndarray, axis: int) -> float | None:
    """Return the constant below all soft tissue that lies around the scan."""
    value = _most_frequent(samples[samples < _PADDING_LEVEL], samples.size)
    return value if value is not None and _is_around(samples == value, axis) else None


def _high_padding(values: np.ndarray, axis: int) -> float | None:
    """Return the constant far above all else that lies around the scan."""
    samples = _samples(values)
    value = _most_frequent(samples[samples > HIGHEST_HU], samples.size)
    if value is None or not _is_around(samples == value, axis):
        return None
    others = samples[samples != value]
    wrapped = (others >= WRAP - HIGHEST_HU) & (others < WRAP)
    return value if ((others > HIGHEST_HU) & ~wrapped).mean() < _RARE else None


def _most_frequent(values: np.ndarray, total: int) -> float | None:
    if values.size < _ROBUST * total or not values.size:
        return None
    constants, counts = np.unique(values, return_counts=True)
    most = int(counts.argmax())
    return float(constants[most]) if counts[most] > max(1, _ROBUST * total) else None


def _is_around(region: np.ndarray, axis: int) -> bool:
    return bool(_joined_to_border(region, axis).sum() > 0.5 * region.sum())


def _joined_to_border(region: np.ndarray, axis: int) -> np.ndarray:
    """Return the part of a region (X, Y[, Z]) that is joined to the border of its slices."""
    volume = np.moveaxis(np.atleast_3d(region), axis, 2)
    within_slices = np.zeros((3, 3, 3), dtype=bool)
    within_slices[..., 1] = ndimage.generate_binary_structure(2, 1)
    labels, count = ndimage.label(volume, within_slices)
    at_border = np.zeros(count + 1, dtype=bool)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        at_border[edge] = True
    at_border[0] = False
    joined: np.ndarray = np.moveaxis(at_border[labels], 2, axis)
    return joined.reshape(region.shape)


def _unwrapped(values: np.ndarray, padding: float | None) -> np.ndarray | None:
    """Return the values with 65536 subtracted from those that had wrapped; None where none had.

    Values between tissue and the wrapped ones tell an image of another scale, such as 0 to 65535.

    Raises:
        CaseError: for many values above those of tissue that have not wrapped, either.
    """
    samples = _samples(values)
    if padding is not None:
        samples = samples[samples != padding]
    if not samples.size:
        return None
    too_high = samples > HIGHEST_HU
    tissue = (samples >= 1) & (samples <= HIGHEST_HU)
    between = too_high & (samples < 4 * HIGHEST_HU)
    if too_high.mean() < _ROBUST or between.mean() >= _RARE or tissue.mean() < 5 * _ROBUST:
        return None
    wrapped = (samples >= WRAP - HIGHEST_HU) & (samples < WRAP)
    if (too_high & ~wrapped).mean() >= _RARE:
        raise _no_ct_value(too_high, float(np.median(samples[too_high & ~wrapped])))
    return np.where((values >= WRAP - HIGHEST_HU) & (values < WRAP), values - np.float32(WRAP), values)
