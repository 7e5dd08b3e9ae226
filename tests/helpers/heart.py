"""A short-axis stack of four gray levels with its mask."""

from __future__ import annotations

import numpy as np

from tests.helpers.paths import CARDIAC_BUNDLE

RELEASED = CARDIAC_BUNDLE
LEVELS = (0, 100, 200, 300)
# Axes of 1.25, 1.2 and 8.5 mm at right angles, none of them along an axis of the patient.
AFFINE = np.eye(4)
AFFINE[:3, :3] = np.array([[-0.96, 0, 0.28], [0.168, -0.8, 0.576], [0.224, 0.6, 0.768]]) @ np.diag([1.25, 1.2, 8.5])
AFFINE[:3, 3] = (50, 20, -10)


def heart() -> tuple[np.ndarray, np.ndarray]:
    """Return gray levels (24, 20, 5) and their mask; the image also has a stray spot of every class."""
    mask = np.zeros((24, 20, 5), np.uint8)
    mask[3:8, 3:16, :] = 1
    mask[9:20, 4:16, :] = 2
    mask[12:17, 7:13, :] = 3
    image = np.take(LEVELS, mask).astype(np.int16)
    for label in (1, 2, 3):
        image[22, 4 * label, label] = LEVELS[label]
    return image, mask
