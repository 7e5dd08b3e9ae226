"""Images and toy bundles for the tests of the Python API."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import s3net_monai
from s3net_monai.inference import Bundle


@pytest.fixture
def volume() -> np.ndarray:
    """HU (7, 6, 5): a block of air off center, and a value on either side of the toy bundle's threshold."""
    values = np.full((7, 6, 5), 40, np.int16)
    values[1:4, 2:5, 1:3] = -800
    values[5, 1, 4], values[5, 2, 4] = -401, -400
    return values


@pytest.fixture
def lung(lung_bundle: Path) -> Bundle:
    return s3net_monai.load_bundle("lung", bundle=lung_bundle, device="cpu")


@pytest.fixture
def skin(skin_bundle: Path) -> Bundle:
    return s3net_monai.load_bundle("skin", bundle=skin_bundle, device="cpu")
