"""What is measured: names, titles and targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Quantity = Literal["wall_seconds", "cpu_seconds", "case_seconds", "step_seconds"]


@dataclass(frozen=True, kw_only=True)
class Item:
    """One piece of work.

    Attributes:
        title: of its row.
        quantity: the seconds that the targets are about.
        ratios: how many times longer each other side has to take than this build.
        aim: how many times longer the build before may take at best.
        seconds: target in seconds, where it is not a ratio.
        gigabytes: target of the memory.
    """

    title: str
    quantity: Quantity = "wall_seconds"
    ratios: tuple[tuple[str, float], ...] = ()
    aim: float | None = None
    seconds: float | None = None
    gigabytes: float | None = None


THIS, BEFORE, LUNGMASK, ORIGINAL, FLOOR = "this build", "before", "lungmask", "authors' network", "floor"

ITEMS = {
    "ct": Item(
        title="CT of 512 x 512 x 300, DICOM to NIfTI and DICOM SEG",
        ratios=((BEFORE, 3.5), (LUNGMASK, 20)),
        aim=6,
        gigabytes=0.9,
    ),
    "pictures": Item(title="60 pictures of PH2", ratios=((BEFORE, 4),), aim=8),
    "picture": Item(title="one picture of 256 x 256", ratios=((BEFORE, 2),), aim=3),
    "jpeg": Item(title="one JPEG of 6000 x 4000", quantity="cpu_seconds", ratios=((BEFORE, 8),), gigabytes=0.7),
    "train-skin": Item(
        title="training step, skin, 16 x 128 x 128", quantity="step_seconds", ratios=((BEFORE, 3),), aim=5
    ),
    "train-lung": Item(
        title="training step, lung, 1 x 144 x 144 x 8", quantity="step_seconds", ratios=((BEFORE, 3),), aim=5
    ),
    "fit": Item(title="per-image fit, skin", quantity="step_seconds", seconds=1.5),
    "hearts": Item(title="volume of ACDC, after the start", quantity="case_seconds", ratios=((BEFORE, 4),)),
}
GROWTH = {
    "growth-slices": "slices of a CT of 512 x 512",
    "growth-pictures": "pictures of 256 x 256",
    "growth-pixels": "pixels of each side of one picture",
}
NAMES = (*ITEMS, *GROWTH)
MAX_GROWTH = 1.5  # memory of 1,500 slices against that of 300
