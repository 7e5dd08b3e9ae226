"""Train a variant of a bundle's network from the bundle's own ``train.json``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import monai
from monai.bundle import ConfigParser


def train_variant(bundle_root: Path, overrides: dict[str, Any], seed: int, folder: Path) -> Path:
    """Weights of a bundle trained with some settings of ``configs/train.json`` replaced, as ``folder``/model.pt.

    A folder that already holds the weights of the same settings and seed is reused, so an interrupted benchmark goes on
    where it stopped. The weights are those of the epoch that the config's own label-free figure selects.

    Args:
        bundle_root: folder of the bundle.
        overrides: new values by id, as on MONAI's command line: ``{"loss#cue": 0.0, "max_epochs": 3}``. At least
            "dataset_dir" belongs here.
        seed: of the training.
        folder: for the weights, the settings (settings.json), and the training's records.

    Raises:
        KeyError: for an id whose parent ``train.json`` does not have.
    """
    weights, record = folder / "model.pt", folder / "settings.json"
    settings = json.dumps({"bundle": bundle_root.name, "seed": seed, "overrides": overrides}, indent=1, default=str)
    if weights.is_file() and record.is_file() and record.read_text(encoding="utf-8") == settings:
        return weights
    folder.mkdir(parents=True, exist_ok=True)
    record.unlink(missing_ok=True)  # written last: without it the folder counts as unfinished
    parser = ConfigParser()
    parser.read_config(bundle_root / "configs" / "train.json")
    parser.update({"bundle_root": str(bundle_root), "output_dir": str(folder), "seed": seed, "cache_rate": 1.0})
    for name, value in overrides.items():
        parser[name] = value
    monai.utils.set_determinism(seed=seed)  # before the network is built; "initialize" may be overridden
    parser.get_parsed_content("initialize")
    parser.get_parsed_content("run")
    for checkpoint in folder.glob("checkpoint*.pt"):
        checkpoint.unlink()
    temporary = record.with_suffix(".tmp")
    temporary.write_text(settings, encoding="utf-8")
    os.replace(temporary, record)
    return weights
