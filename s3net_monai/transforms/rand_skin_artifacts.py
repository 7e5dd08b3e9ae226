"""Hairs, rulers, ink and color patches drawn into pictures in training, so that none of them is taken for a lesion."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable
from monai.utils import convert_to_tensor
from numpy.typing import NDArray
from skimage.draw import disk, line_aa

Picture = NDArray[np.float32]


class RandSkinArtifactsd(Randomizable, MapTransform):
    """Draw foreign objects of random kind, color and place into RGB pictures; every other key stays as it is.

    A vote of cues that was taken from the picture beforehand goes on to say where the lesion is, and the network learns
    to pass over the objects.

    Args:
        keys: RGB pictures (3, X, Y) in [0, 1].
        prob: probability of each of the three kinds: hairs (up to 12 dark lines), strokes of violet or blue ink, and a
            patch of a strong color at the border.
    """

    def __init__(self, keys: KeysCollection, prob: float = 0.2) -> None:
        super().__init__(keys)
        self.prob = prob

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        for key in self.key_iterator(sample):
            picture = np.array(torch.as_tensor(sample[key]).cpu(), dtype=np.float32)
            for draw in (self._hairs, self._ink, self._patch):
                if self.R.random() < self.prob:
                    draw(picture)
            sample[key] = convert_to_tensor(picture)
        return sample

    def _hairs(self, picture: Picture) -> None:
        color = picture.min() * self.R.uniform(0.3, 1.0, 3).astype(np.float32)
        for _ in range(self.R.randint(1, 13)):
            self._stroke(picture, color, self._point(picture), length=self.R.uniform(0.2, 0.9), width=0)

    def _ink(self, picture: Picture) -> None:
        color = np.array([self.R.uniform(0.2, 0.5), self.R.uniform(0.1, 0.35), self.R.uniform(0.4, 0.7)], np.float32)
        start = self._border_point(picture, inset=0.15)
        for _ in range(self.R.randint(3, 10)):
            self._stroke(picture, color, start, length=self.R.uniform(0.03, 0.1), width=1)

    def _patch(self, picture: Picture) -> None:
        size = min(picture.shape[1:])
        color = self.R.uniform(0, 1, 3).astype(np.float32)
        color[self.R.randint(3)] = 1.0
        color[self.R.randint(3)] = 0.0
        radius = size * self.R.uniform(0.12, 0.35)
        x, y = disk(self._border_point(picture, inset=0.0), radius, shape=picture.shape[1:])
        picture[:, x, y] = color[:, None]

    def _stroke(self, picture: Picture, color: Picture, start: tuple[int, int], length: float, width: int) -> None:
        """A line from ``start`` in a random direction, ``length`` of the picture's size, ``2 * width + 1`` wide."""
        angle = self.R.uniform(0, 2 * np.pi)
        reach = length * min(picture.shape[1:])
        end = (int(start[0] + reach * np.cos(angle)), int(start[1] + reach * np.sin(angle)))
        rows, columns, strength = line_aa(*start, *end)
        for shift in range(-width, width + 1):
            x, y = (rows + shift, columns) if abs(np.sin(angle)) > abs(np.cos(angle)) else (rows, columns + shift)
            inside = (x >= 0) & (x < picture.shape[1]) & (y >= 0) & (y < picture.shape[2])
            share = strength[inside].astype(np.float32)
            x, y = x[inside], y[inside]
            picture[:, x, y] = picture[:, x, y] * (1 - share) + color[:, None] * share

    def _point(self, picture: Picture) -> tuple[int, int]:
        return self.R.randint(picture.shape[1]), self.R.randint(picture.shape[2])

    def _border_point(self, picture: Picture, inset: float) -> tuple[int, int]:
        """A point at ``inset`` (a share of the size) from one of the four borders."""
        point = list(self._point(picture))
        axis = self.R.randint(2)
        size = picture.shape[1 + axis]
        point[axis] = round(inset * size) if self.R.random() < 0.5 else round((1 - inset) * (size - 1))
        return point[0], point[1]
