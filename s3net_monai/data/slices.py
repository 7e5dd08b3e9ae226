"""Slices of volumes as samples of their own, for 2-D networks on short-axis stacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.data import Dataset, get_track_meta, set_track_meta
from tqdm import tqdm

from s3net_monai.utils.errors import DataError


def slices_of(
    cases: Sequence[dict[str, Any]],
    transform: Callable[[dict[str, Any]], Any],
    keys: Sequence[str] = ("image", "label"),
    allow_empty: bool = False,
) -> list[dict[str, Any]]:
    """Every slice along the last axis of every case, for MONAI's `Dataset` or `CacheDataset`.

    `transform` reads a case, without chance: channel-first volumes (C, X, Y, Z) under those of `keys` that the case
    has. Intensities are best scaled there, by the volume, and its plane resized there too, since all slices are kept in
    memory: 1500 of 128x128 take 100 MB in float32. A slice has the case's entries, (C, X, Y) tensors under `keys`,
    "case_id" with the index of the slice (patient001_frame01_z03), that index as "slice", and the case as "volume".

    Raises DataError for no case at all unless `allow_empty`, and for one without any of `keys`, with volumes of another number of axes or of
    unequal depth.
    """
    if not cases and not allow_empty:
        raise DataError("no case to take slices of: add labels to the datalist, or an overlay that trains without them")
    found: list[dict[str, Any]] = []
    for number, case in enumerate(tqdm(cases, "slices", unit="case", leave=False)):
        sample = transform(case)
        present = [key for key in keys if key in sample]
        _check(sample, present, keys)
        name = str(case.get("case_id", f"case{number:03d}"))  # a server's own lists name none
        for index in range(sample[present[0]].shape[-1]):
            # a plain copy: a MetaTensor would keep the header of the volume, and a view all of its voxels
            planes = {
                key: torch.as_tensor(sample[key][..., index]).as_subclass(torch.Tensor).clone() for key in present
            }
            where = {"case_id": f"{name}_z{index:02d}", "slice": index, "volume": name}
            found.append({**sample, **planes, **where})
    return found


class PlainDataset(Dataset):
    """MONAI's `Dataset` whose transforms keep no records of what they did.

    For samples that are plain tensors: they have no header that a record could change. On planes of 96 x 96 the records
    took more than half of the time of the moves, and went on through every operation of the network.
    """

    def _transform(self, index: int) -> Any:
        before = get_track_meta()
        set_track_meta(False)
        try:
            return super()._transform(index)
        finally:
            set_track_meta(before)


class SliceDataset(PlainDataset):
    """`PlainDataset` over the slices of cases: `data` are volumes, as in a datalist, and a sample is a slice.

    `read` and `keys` are `transform` and `keys` of `slices_of`; all slices are kept in memory. `transform` is what
    happens to a slice each time it is asked for. Raises as `slices_of` does.
    """

    def __init__(
        self,
        data: Sequence[dict[str, Any]],
        read: Callable[[dict[str, Any]], Any],
        transform: Callable[[dict[str, Any]], Any] | None = None,
        keys: Sequence[str] = ("image", "label"),
    ) -> None:
        super().__init__(slices_of(data, read, keys), transform)


def _check(sample: dict[str, Any], present: Sequence[str], keys: Sequence[str]) -> None:
    shapes = {key: tuple(getattr(sample[key], "shape", ())) for key in present}
    if not shapes or any(len(shape) != 4 for shape in shapes.values()) or len({s[1:] for s in shapes.values()}) > 1:
        raise DataError(
            f"{sample.get('case_id')}: found {shapes or 'nothing'} under {', '.join(keys)}, expected volumes "
            "(C, X, Y, Z) of one size; mend the transform that reads the case"
        )
