"""Training of a variant of a bundle's network from the bundle's own ``train.json``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import monai
from monai.bundle import ConfigParser

from s3net_monai.utils.atomic import atomic_path

# Keys that training and inference must have in common.
_SHARED = ("network_def", "spatial_size", "pixdim", "min_size")


def train_variant(bundle_root: Path, overrides: dict[str, Any], *, seed: int, folder: Path) -> Path:
    """Train with overrides of ``configs/train.json``, and return the path of model.pt.

    ``folder`` becomes a bundle of its own (configs/inference.json with the same network and image size, metadata,
    models/model.pt), so that ``inference.load_bundle(task, folder, device)`` runs the variant as it runs the
    released weights. The weights are those of the epoch that the config's own label-free metric selects. A folder with
    weights of the same settings and seed is reused, so that an interrupted benchmark continues where it stopped.

    Args:
        bundle_root: folder of the bundle.
        overrides: new values by config id, as on MONAI's command line:
            ``{"loss#terms#weak_label#weight": 0.0, "max_epochs": 3}``. "dataset_dir" or the data themselves must be
            among them.
        seed: seed of the training.
        folder: folder for the weights, the settings (settings.json) and the records of the training.
    """
    weights, record = folder / "models" / "model.pt", folder / "settings.json"
    settings = json.dumps({"bundle": bundle_root.name, "seed": seed, "overrides": overrides}, indent=1, default=str)
    if weights.is_file() and record.is_file() and record.read_text(encoding="utf-8") == settings:
        return weights
    (folder / "configs").mkdir(parents=True, exist_ok=True)
    record.unlink(missing_ok=True)  # written last: a folder without it is unfinished
    _write_inference_config(bundle_root, overrides, folder / "configs")
    _train(bundle_root, overrides, seed=seed, folder=folder, models=weights.parent)
    with atomic_path(record) as temporary:
        temporary.write_text(settings, encoding="utf-8")
    return weights


def _write_inference_config(bundle_root: Path, overrides: dict[str, Any], configs: Path) -> None:
    shutil.copy(bundle_root / "configs" / "metadata.json", configs)
    parser = ConfigParser()
    parser.read_config(bundle_root / "configs" / "inference.json")
    for name, value in overrides.items():
        if name.split("#")[0] in _SHARED:
            parser[name] = value
    ConfigParser.export_config_file(parser.get(), str(configs / "inference.json"), indent=1)


def _train(bundle_root: Path, overrides: dict[str, Any], *, seed: int, folder: Path, models: Path) -> None:
    parser = ConfigParser()
    parser.read_config(bundle_root / "configs" / "train.json")
    locations = {"bundle_root": str(bundle_root), "output_dir": str(folder), "ckpt_dir": str(models), "seed": seed}
    for name, value in {**locations, **overrides}.items():
        parser[name] = value
    monai.utils.set_determinism(seed=seed)  # before the network is built, which "initialize" seeds too late
    parser.get_parsed_content("initialize")
    parser.get_parsed_content("run")
    for checkpoint in models.glob("checkpoint*.pt"):
        checkpoint.unlink()
