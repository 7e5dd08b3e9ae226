"""The inputs of a test batch, and the mask expected of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

THRESHOLD = 60.5  # values below it are foreground, in HU and in gray values


@dataclass(frozen=True)
class Truth:
    """The mask of an input: (X, Y, Z) with its RAS+ ``affine``, or (X, Y) without one for a 2-D image."""

    mask: np.ndarray
    affine: np.ndarray | None = None
    dicom: bool = False


@dataclass
class Inputs:
    """Folder of the inputs and their expected masks; every name contains its key, ``c`` and three digits."""

    root: Path
    truths: dict[str, Truth] = field(default_factory=dict)
    separate: list[Path] = field(default_factory=list)
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    @property
    def tree(self) -> Path:
        return self.root / "tree"

    def path(self, name: str, truth: Truth, below: str = "tree") -> Path:
        """Return the path of the next input, whose folder exists."""
        key = f"c{len(self.truths):03d}"
        self.truths[key] = truth
        path = self.root / below / f"{name} {key}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def hounsfield(self, *shape: int) -> np.ndarray:
        """Return random int16 values on either side of the threshold, well away from it."""
        inside = self.rng.random(shape) < 0.3
        return np.where(inside, self.rng.integers(-1000, -100, shape), self.rng.integers(100, 1000, shape)).astype("i2")
