"""A cache of label arrays on disk, in NumPy's own format, which holds numbers and no code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s3net_monai.utils.atomic import atomic_path

Image = NDArray[np.float32]
Regions = NDArray[np.int32]


def cached_regions(
    folder: Path | None, image: Image, settings: Mapping[str, float | str], compute: Callable[[], Regions]
) -> Regions:
    """Return the regions of an image, from the cache if they are there, else computed and stored.

    Any number of processes can share the folder. A damaged entry is computed again.

    Args:
        folder: of the cache, created if it is missing; None computes every time.
        image: (C, X, Y[, Z]), part of the entry's name by its content.
        settings: what else the regions depend on.
        compute: returns the regions, (X, Y[, Z]).
    """
    if folder is None:
        return compute()
    entry = folder / f"{_key(image, settings)}.npz"
    regions = _read(entry, image.shape[1:])
    if regions is None:
        regions = compute()
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(entry) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, regions=regions)
    return regions


def _key(image: Image, settings: Mapping[str, float | str]) -> str:
    description = json.dumps([image.shape, dict(settings)], sort_keys=True)
    return hashlib.sha256(description.encode() + image.tobytes()).hexdigest()


def _read(entry: Path, shape: tuple[int, ...]) -> Regions | None:
    try:
        with np.load(entry, allow_pickle=False) as content:
            regions = content["regions"]
    except Exception:  # a missing or damaged file raises from the operating system, zipfile, zlib or numpy
        return None
    return regions if regions.shape == shape and regions.dtype == np.int32 else None
