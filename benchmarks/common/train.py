"""Train a variant of a bundle's network from the bundle's own ``train.json``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import monai
from monai.bundle import ConfigParser

from s3net_monai.utils.atomic import atomic_path

# what training and inference must have in common
_SHARED = ("network_def", "spatial_size", "pixdim", "min_size")


def train_variant(bundle_root: Path, overrides: dict[str, Any], seed: int, folder: Path) -> Path:
    """Train with some settings of ``configs/train.json`` replaced; return the path of model.pt.

    ``folder`` becomes a bundle of its own (configs/inference.json with the same network and image size, metadata,
    models/model.pt), so that ``inference.load_bundle(task, folder, device)`` runs the variant as it runs the shipped
    weights. The weights are those of the epoch that the config's own label-free figure selects. A folder that already
    holds the weights of the same settings and seed is reused: an interrupted benchmark goes on where it stopped.

    Args:
        bundle_root: folder of the bundle.
        overrides: new values by id, as on MONAI's command line: ``{"loss#terms#weak_label#weight": 0.0, "max_epochs": 3}``. At least
            "dataset_dir" belongs here.
        seed: of the training.
        folder: for the weights, the settings (settings.json), and the training's records.
    """
    weights, record = folder / "models" / "model.pt", folder / "settings.json"
    settings = json.dumps({"bundle": bundle_root.name, "seed": seed, "overrides": overrides}, indent=1, default=str)
    if weights.is_file() and record.is_file() and record.read_text(encoding="utf-8") == settings:
        return weights
    (folder / "configs").mkdir(parents=True, exist_ok=True)
    record.unlink(missing_ok=True)  # written last: without it the folder counts as unfinished
    _write_inference(bundle_root, overrides, folder / "configs")
    _train(bundle_root, overrides, seed, folder, weights.parent)
    with atomic_path(record) as temporary:
        temporary.write_text(settings, encoding="utf-8")
    return weights


def _write_inference(bundle_root: Path, overrides: dict[str, Any], configs: Path) -> None:
    shutil.copy(bundle_root / "configs" / "metadata.json", configs)
    parser = ConfigParser()
    parser.read_config(bundle_root / "configs" / "inference.json")
    for name, value in overrides.items():
        if name.split("#")[0] in _SHARED:
            parser[name] = value
    ConfigParser.export_config_file(parser.get(), str(configs / "inference.json"), indent=1)


def _train(bundle_root: Path, overrides: dict[str, Any], seed: int, folder: Path, models: Path) -> None:
    parser = ConfigParser()
    parser.read_config(bundle_root / "configs" / "train.json")
    own = {"bundle_root": str(bundle_root), "output_dir": str(folder), "ckpt_dir": str(models), "seed": seed}
    for name, value in {**own, **overrides}.items():
        parser[name] = value
    monai.utils.set_determinism(seed=seed)  # before the network is built: "initialize" comes to it later
    parser.get_parsed_content("initialize")
    parser.get_parsed_content("run")
    for checkpoint in models.glob("checkpoint*.pt"):
        checkpoint.unlink()
