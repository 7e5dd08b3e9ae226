"""The folder that MONAI Label serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from s3net_monai.monailabel.served import make_app


@pytest.fixture
def app_folder(tmp_path: Path) -> Path:
    """With both label-free bundles and the shipped weights."""
    folder = tmp_path / "app"
    assert make_app(folder, ["lung", "skin"]) == ["lung_ct_segmentation", "skin_lesion_segmentation"]
    return folder
