"""Hairs, ink and color patches drawn into training images of skin lesions.

With them a network does not learn to take such artifacts for a lesion.
"""

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

ImageArray = NDArray[np.float32]


class RandSkinArtifactsd(Randomizable, MapTransform):
    """Draw artifacts of random kind, color and position into RGB images.

    A weak label that was computed from the clean image still says where the lesion is, so the network learns to ignore
    the artifacts.

    Args:
        keys: RGB images (3, X, Y) in [0, 1].
        prob: probability of each of the three kinds: hairs (up to 12 dark lines), strokes of violet or blue ink, and a
            patch of a strong color at the border.

    Example:
        >>> import torch
        >>> image = torch.full((3, 48, 64), 0.7)
        >>> transform = RandSkinArtifactsd("image", prob=1.0).set_random_state(0)
        >>> result = transform({"image": image})["image"]
        >>> result.shape, torch.equal(result, image)
        (torch.Size([3, 48, 64]), False)
    """

    def __init__(self, keys: KeysCollection, prob: float = 0.2) -> None:
        super().__init__(keys)
        self.prob = prob

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with artifacts in copies of its images."""
        sample = dict(data)
        for key in self.key_iterator(sample):
            image = np.array(torch.as_tensor(sample[key]).cpu(), dtype=np.float32)
            for draw in (self._draw_hairs, self._draw_ink, self._draw_patch):
                if self.R.random() < self.prob:
                    draw(image)
            sample[key] = convert_to_tensor(image)
        return sample

    def _draw_hairs(self, image: ImageArray) -> None:
        color = image.min() * self.R.uniform(0.3, 1.0, 3).astype(np.float32)
        for _ in range(self.R.randint(1, 13)):
            start = self._random_point(image)
            self._draw_stroke(image, color, start=start, length=self.R.uniform(0.2, 0.9), half_width=0)

    def _draw_ink(self, image: ImageArray) -> None:
        color = np.array([self.R.uniform(0.2, 0.5), self.R.uniform(0.1, 0.35), self.R.uniform(0.4, 0.7)], np.float32)
        start = self._random_border_point(image, inset=0.15)
        for _ in range(self.R.randint(3, 10)):
            self._draw_stroke(image, color, start=start, length=self.R.uniform(0.03, 0.1), half_width=1)

    def _draw_patch(self, image: ImageArray) -> None:
        size = min(image.shape[1:])
        color = self.R.uniform(0, 1, 3).astype(np.float32)
        color[self.R.randint(3)] = 1.0
        color[self.R.randint(3)] = 0.0
        radius = size * self.R.uniform(0.12, 0.35)
        x, y = disk(self._random_border_point(image, inset=0.0), radius, shape=image.shape[1:])
        image[:, x, y] = color[:, None]

    def _draw_stroke(
        self, image: ImageArray, color: ImageArray, *, start: tuple[int, int], length: float, half_width: int
    ) -> None:
        """Draw a line from ``start`` in a random direction, ``2 * half_width + 1`` pixels wide.

        Args:
            image: drawn into, (3, X, Y).
            color: RGB.
            start: pixel.
            length: as a fraction of the image's shorter side.
            half_width: in pixels, without the central one.
        """
        angle = self.R.uniform(0, 2 * np.pi)
        reach = length * min(image.shape[1:])
        end = (int(start[0] + reach * np.cos(angle)), int(start[1] + reach * np.sin(angle)))
        rows, columns, strength = line_aa(*start, *end)
        for shift in range(-half_width, half_width + 1):
            x, y = (rows + shift, columns) if abs(np.sin(angle)) > abs(np.cos(angle)) else (rows, columns + shift)
            inside = (x >= 0) & (x < image.shape[1]) & (y >= 0) & (y < image.shape[2])
            opacity = strength[inside].astype(np.float32)
            x, y = x[inside], y[inside]
            image[:, x, y] = image[:, x, y] * (1 - opacity) + color[:, None] * opacity

    def _random_point(self, image: ImageArray) -> tuple[int, int]:
        return self.R.randint(image.shape[1]), self.R.randint(image.shape[2])

    def _random_border_point(self, image: ImageArray, inset: float) -> tuple[int, int]:
        """Return a point at ``inset``, a fraction of the size, from one of the four borders."""
        point = list(self._random_point(image))
        axis = self.R.randint(2)
        size = image.shape[1 + axis]
        point[axis] = round(inset * size) if self.R.random() < 0.5 else round((1 - inset) * (size - 1))
        return point[0], point[1]
