"""Affines that no axis of the patient fits."""

from __future__ import annotations

import numpy as np

OBLIQUE = np.array([[0.0, -1.8, 1.2, 10.0], [2.0, 0.0, 0.0, -20.0], [0.0, 0.9, 2.4, 30.0], [0.0, 0.0, 0.0, 1.0]])
