"""Fixtures of runs: the toy bundle, loaded, and a folder for results."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from s3net_monai.inference import Bundle, load_bundle


@pytest.fixture
def bundle(lung_bundle: Path) -> Bundle:
    return load_bundle("lung", lung_bundle, torch.device("cpu"))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out"
