"""Slices of volumes as separate samples, for 2-D networks on short-axis stacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.data import Dataset, get_track_meta, set_track_meta

from s3net_monai.data.readable import UnreadableCases
from s3net_monai.utils.errors import DataError
from s3net_monai.utils.printing import progress_bar


def extract_slices(
    cases: Sequence[dict[str, Any]],
    transform: Callable[[dict[str, Any]], Any],
    keys: Sequence[str] = ("image", "label"),
    allow_empty: bool = False,
) -> list[dict[str, Any]]:
    """Read cases and return every slice along their last axis, for MONAI's ``Dataset`` or ``CacheDataset``.

    All slices are kept in memory: 1500 of 128x128 take 100 MB in float32.

    Args:
        cases: as ``load_datalist`` returns them.
        transform: reads a case, without randomness: channel-first volumes (C, X, Y, Z) under those of ``keys`` that
            the case has. It is the place to scale intensities by the volume, and to resize the slices.
        keys: of the volumes.
        allow_empty: return an empty list for no cases, as an overlay needs it that works without unlabeled ones.

    Returns:
        One sample per slice, with the case's entries, (C, X, Y) tensors under ``keys``, "case_id" with the index of
        the slice (patient001_frame01_z03), that index as "slice", and the case's identifier as "volume".

    Raises:
        DataError: with one line per case that cannot be read; without any case unless ``allow_empty``; and if a case
            has none of ``keys``, volumes of another number of axes or of unequal sizes.
    """
    if not cases and not allow_empty:
        raise DataError(
            "no cases to extract slices from: add labels to the datalist, or an overlay that trains without them"
        )
    samples: list[dict[str, Any]] = []
    unreadable = UnreadableCases()
    for number, case in enumerate(progress_bar(cases, "slices", unit="case", leave=False)):
        sample: dict[str, Any] | None = None
        with unreadable.collect(case):
            sample = transform(case)
        if sample is None:
            continue
        present = [key for key in keys if key in sample]
        _check_volumes(sample, present, keys)
        name = str(case.get("case_id", f"case{number:03d}"))  # lists of MONAI Label have no identifiers
        for index in range(sample[present[0]].shape[-1]):
            # A plain copy: a MetaTensor would keep the header of the volume, and a view all of its voxels.
            planes = {
                key: torch.as_tensor(sample[key][..., index]).as_subclass(torch.Tensor).clone() for key in present
            }
            identity = {"case_id": f"{name}_z{index:02d}", "slice": index, "volume": name}
            samples.append({**sample, **planes, **identity})
    unreadable.refuse(total=len(cases))
    return samples


class UntrackedDataset(Dataset):
    """MONAI's ``Dataset`` without metadata tracking in its transforms.

    It is for samples that are plain tensors, which have no metadata to track. On slices of 96 x 96 the tracking took
    more than half of the time of the spatial transforms, and continued through every operation of the network.
    """

    def _transform(self, index: int) -> Any:
        previous = get_track_meta()
        set_track_meta(False)
        try:
            return super()._transform(index)
        finally:
            set_track_meta(previous)


class SliceDataset(UntrackedDataset):
    """``UntrackedDataset`` over the slices of volumes, all kept in memory.

    Args:
        data: volumes, as in a datalist.
        read: reads a volume; ``transform`` of ``extract_slices``.
        transform: applied to a slice each time it is requested.
        keys: of the volumes, as in ``extract_slices``.

    Raises:
        DataError: as ``extract_slices``.
    """

    def __init__(
        self,
        data: Sequence[dict[str, Any]],
        read: Callable[[dict[str, Any]], Any],
        transform: Callable[[dict[str, Any]], Any] | None = None,
        keys: Sequence[str] = ("image", "label"),
    ) -> None:
        super().__init__(extract_slices(data, read, keys), transform)


def _check_volumes(sample: dict[str, Any], present: Sequence[str], keys: Sequence[str]) -> None:
    shapes = {key: tuple(getattr(sample[key], "shape", ())) for key in present}
    if not shapes or any(len(shape) != 4 for shape in shapes.values()) or len({s[1:] for s in shapes.values()}) > 1:
        raise DataError(
            f"{sample.get('case_id')}: found {shapes or 'nothing'} under {', '.join(keys)}, expected volumes "
            "(C, X, Y, Z) of one size; correct the transform that reads the case"
        )
