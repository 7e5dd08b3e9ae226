"""The folder that MONAI Label serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from s3net_monai.monailabel.served import make_app
from tests.helpers.monailabel_cases import CARDIAC, LUNG, SKIN


@pytest.fixture
def app_folder(tmp_path: Path) -> Path:
    """A served folder with all bundles and the released weights."""
    folder = tmp_path / "app"
    assert make_app(folder) == [LUNG, SKIN, CARDIAC]
    return folder
