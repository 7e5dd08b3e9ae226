"""Learning from corrected masks by the page's command, without a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

SHORT = {
    "skin": {"spatial_size": "[64, 64]", "max_epochs": 1},
    "cardiac": {"spatial_size": "[64, 64]", "iterations": 2, "batch_size": 2},
}


@pytest.mark.slow
@pytest.mark.parametrize("bundle", SHORT, indirect=True, scope="session")
def test_corrected_masks_of_a_datalist(
    bundle: Any, labeled: Path, tmp_path: Path, monai_bundle: Callable[..., str]
) -> None:
    printed = monai_bundle(
        "training",
        cwd=tmp_path,
        config_file=f"['{bundle.config_file('train')}', '{bundle.config_file('fine_tune')}']",
        bundle_root=str(bundle.root),
        dataset_dir=str(labeled),
        ckpt_dir=str(tmp_path / "output"),
        output_dir=str(tmp_path / "output"),
        device="cpu",
        **SHORT[bundle.task],
    )
    assert "train_loss" in printed
    before, after = (
        torch.load(folder / "model.pt", weights_only=True) for folder in (bundle.root / "models", tmp_path / "output")
    )
    assert before.keys() == after.keys(), "inference.json takes them"
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert [path.name for path in tmp_path.iterdir()] == ["output"]
