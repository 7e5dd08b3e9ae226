"""Fixtures of several rooms: small CT series, toy bundles, the real data."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.faults.toy_bundle import toy_bundle
from s3net_monai.io import limits
from s3net_monai.utils.console import NOISY_LOGGERS
from tests.helpers.ct_series import SeriesMaker
from tests.helpers.paths import REAL_DATA


@pytest.fixture(scope="session", autouse=True)
def _volumes_of_any_size() -> Iterator[None]:
    """Let volumes that a test sets by hand be smaller than a patient; tests of that limit set it again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "MIN_EXTENT_MM", 0.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_secret(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the secret of pseudonyms out of the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _levels_of_loggers() -> Iterator[None]:
    """Undo what the command line, called in this process, sets for the process of a user."""
    loggers = [
        logging.getLogger(name) for name in (None, "s3net_monai", "s3net_monai.transforms.notes", *NOISY_LOGGERS)
    ]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def series_maker() -> Callable[..., SeriesMaker]:
    return SeriesMaker


@pytest.fixture
def stored_ramp() -> np.ndarray:
    """(slices 5, rows 4, columns 6): every stored value differs, so that any swap of axes shows."""
    return np.arange(5 * 4 * 6, dtype=np.uint16).reshape(5, 4, 6)


@pytest.fixture
def real_data() -> Path:
    """The folder of real data, which the repository does not hold."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"real data not found at {REAL_DATA}; set S3NET_DATA")
    return REAL_DATA


@pytest.fixture
def lung_bundle(tmp_path: Path) -> Path:
    return toy_bundle(tmp_path / "toy_lung", "lung")


@pytest.fixture
def skin_bundle(tmp_path: Path) -> Path:
    return toy_bundle(tmp_path / "toy_skin", "skin")
