"""What the parts of the benchmark hand to each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class BenchmarkCase:
    """One image of a report split with its truth.

    Attributes:
        case_id: unique within its split.
        split: as the tables name it, such as "PH2" or "volumes id001-002".
        image: picture or NIfTI volume.
        truth: (X, Y) or (X, Y, Z) bool on the image's own grid, x first as in MONAI's readers.
        spacing: voxel size along each axis of ``truth``; ones for pictures.
        unit: of ``spacing``, "mm" or "px".
    """

    case_id: str
    split: str
    image: Path
    truth: np.ndarray
    spacing: tuple[float, ...]
    unit: str


@dataclass(frozen=True)
class Partition:
    """What a method makes of one image.

    Attributes:
        mask: bool, of the truth's shape: the label-free answer.
        clusters: integer, of the truth's shape: every cluster before naming, 0 to K-1; a threshold has two.
        consistency: label-free estimate of the mask's quality, 0 to 1; None where the method has none.
        seconds: of processor time for the mask alone, where finding the clusters is extra work; None: all of the call.
    """

    mask: np.ndarray
    clusters: np.ndarray
    consistency: float | None = None
    seconds: float | None = None


Predict = Callable[[BenchmarkCase], Partition]


@dataclass(frozen=True)
class Row:
    """One method of the table.

    Attributes:
        name: as the table shows it.
        kind: "simple", "per-image", "trained", "shipped" or "supervised".
        prepare: makes the method ready from a seed; trains or loads weights here.
        seeds: more than one where there is randomness.
        every: scores only each n-th case of a split, for methods of seconds to minutes an image.
        splits: the only splits to score, for methods that are made for one; None: all.
    """

    name: str
    kind: str
    prepare: Callable[[int], Predict]
    seeds: tuple[int, ...] = (0,)
    every: int = 1
    splits: tuple[str, ...] | None = None
