"""Types that the parts of the benchmark exchange."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, kw_only=True)
class BenchmarkCase:
    """One image of a report split with its ground truth.

    Attributes:
        case_id: unique within its split.
        split: name in the tables, such as "PH2" or "volumes id001-002".
        image: 2-D image or NIfTI volume.
        truth: (X, Y) or (X, Y, Z) bool on the image's own grid, x first as in MONAI's readers.
        spacing: voxel size along each axis of ``truth``; ones for 2-D images.
        unit: unit of ``spacing``, "mm" or "px".
    """

    case_id: str
    split: str
    image: Path
    truth: np.ndarray
    spacing: tuple[float, ...]
    unit: str


@dataclass(frozen=True)
class Partition:
    """Answer of a method for one image.

    Attributes:
        mask: bool, of the truth's shape: the label-free answer.
        clusters: integer, of the truth's shape: all clusters, 0 to K-1, before their assignment to classes; a threshold
            has two.
        consistency: label-free estimate of the mask's quality, 0 to 1; None for a method that has none.
        seconds: processor time of the mask alone, for methods whose clusters are extra work; None: that of the whole
            call.
    """

    mask: np.ndarray
    clusters: np.ndarray
    _: KW_ONLY
    consistency: float | None = None
    seconds: float | None = None


Predict = Callable[[BenchmarkCase], Partition]


@dataclass(frozen=True)
class Row:
    """One method of the table.

    Attributes:
        name: name in the table.
        kind: "simple" for a baseline, "per-image", "trained", "released" for the released weights, or "supervised".
        prepare: returns the method for a seed; networks are trained and weights are loaded here.
        seeds: several for a method with randomness.
        every: only each n-th case of a split is scored, for methods that take seconds to minutes per image.
        splits: the only splits to score, for methods that are made for one; None: all.
    """

    name: str
    kind: str
    prepare: Callable[[int], Predict]
    _: KW_ONLY
    seeds: tuple[int, ...] = (0,)
    every: int = 1
    splits: tuple[str, ...] | None = None
