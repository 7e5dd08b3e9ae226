"""The released cardiac bundle with a network set by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from s3net_monai.cli import main
from tests.helpers.heart import LEVELS, RELEASED, heart


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The released bundle with a network that classifies voxels by the nearest of four gray levels."""
    root = tmp_path / RELEASED.name
    shutil.copytree(RELEASED, root, ignore=shutil.ignore_patterns("*.pt"))
    config = json.loads((root / "configs" / "inference.json").read_text())
    config["network_def"] = {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 4, "kernel_size": 1}
    # Copies are not rotated and nothing is cropped or resized, so that every voxel keeps its gray level.
    config["inferer"]["angles_and_zooms"] = [[0, 1], [0, 1]]
    config["field_of_view"] = config["spatial_size"] = [24, 20]
    config["resample_in_plane"] = False
    (root / "configs" / "inference.json").write_text(json.dumps(config))
    scaled = heart()[0] / 300.0
    levels = torch.tensor([(level / 300 - scaled.mean()) / scaled.std() for level in LEVELS], dtype=torch.float32)
    (root / "models").mkdir(exist_ok=True)
    state = {"weight": 2 * levels[:, None, None, None], "bias": -(levels**2)}
    torch.save(state, root / "models" / "model.pt")
    return root


@pytest.fixture
def segment(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Run the command and return the entries of the report by case."""

    def run(*paths: Path, formats: str = "nifti", code: int = 0) -> dict[str, Any]:
        words = ["segment", *map(str, paths), "--task", "cardiac", "--bundle", str(bundle), "--device", "cpu"]
        words += ["--output", str(tmp_path / "out"), "--workers", "0", *(["--formats", formats] if formats else [])]
        assert main(words) == code
        report = json.loads((tmp_path / "out" / "report.json").read_text())
        return {case["case_id"]: case for case in report["cases"]}

    return run
