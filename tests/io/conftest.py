"""A small mask for the writers."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def blob() -> np.ndarray:
    """(6, 4, 5) without any symmetry, its second slice empty."""
    array = (np.random.default_rng(0).random((6, 4, 5)) > 0.6).astype(np.uint8)
    array[:, :, 1] = 0
    return array
