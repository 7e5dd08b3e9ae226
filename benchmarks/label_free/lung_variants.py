"""Overrides that train lungs with the S3-Net losses alone, in 3-D and slice by slice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import Tensor

PIXDIM = [5.0, 5.0, 5.0]  # twice as coarse in plane as for the released weights, which takes a quarter of the time
PATCH = 72

# Mutual information has the agreement of the views and the balance of the clusters in one term, which does not collapse
# on few images.
NO_WEAK_LABEL: dict[str, Any] = {
    "loss#terms#weak_label#weight": 0.0,
    "loss#terms#affine#weight": 0.0,
    "loss#terms#balance#weight": 0.0,
    "loss#terms#mutual_information": {
        "_target_": "s3net_monai.losses.WeightedTerm",
        "inputs": ["first", "second", "grid"],
        "loss": {"_target_": "s3net_monai.losses.MutualInformationLoss"},
    },
    "loss#terms#self_clustering#weight": 0.3,
    "loss#terms#total_variation#weight": 0.1,
    "learning_rate": 0.004,
    # no cluster reaches 1, so the one of most evidence alone is lung
    "assignment_threshold": 1.0,
    "train#deterministic_transforms#weak_label": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "CopyItemsd", "keys": "image", "names": "weak_label"},
            {
                "_target_": "Lambdad",
                "keys": "weak_label",
                "func": {"_target_": "benchmarks.label_free.lung_variants.lung_position_prior", "_mode_": "callable"},
            },
        ],
    },
    "pixdim": PIXDIM,
    "patch_size": [PATCH, PATCH, 8],
    "min_size": [PATCH, PATCH, 8],
    "max_epochs": 3,
    "epoch_length": 60,
}

_ONE_SLICE = {"_target_": "SqueezeDimd", "keys": ["image", "weak_label"], "dim": -1}


def lung_position_prior(image: Tensor) -> Tensor:
    """Return a map (1, X, Y, Z) of where lungs are in axial slices.

    Its maxima of 1 are on either side of the midline.

    The map ignores the intensity. It assigns clusters to classes in trainings without a weak label.
    """
    x, y = torch.meshgrid(*(torch.linspace(-1, 1, size) for size in image.shape[1:3]), indexing="ij")
    weight = torch.exp(-((x.abs() - 0.4) ** 2 + y**2) / (2 * 0.2**2))
    return weight[None, :, :, None].expand(image.shape).contiguous()


def slice_overrides(bundle_root: Path) -> dict[str, Any]:
    """Return more overrides, which train a 2-D network on single axial slices.

    A step has eight slices, as many voxels as in 3-D.
    """
    parser = ConfigParser()
    parser.read_config(bundle_root / "configs" / "train.json")
    return {
        "network_def#network#spatial_dims": 2,
        "batch_size": 8,
        "patch_size": [PATCH, PATCH, 1],
        "min_size": [PATCH, PATCH, 1],
        "train#random_transforms": {**parser["train#random_transforms"], "one_slice": _ONE_SLICE},
        "validate#center_patch": {**parser["validate#center_patch"], "one_slice": _ONE_SLICE},
    }


def infer_by_slices(folder: Path) -> None:
    """Change the bundle in ``folder`` to run its 2-D network over every axial slice."""
    file = folder / "configs" / "inference.json"
    parser = ConfigParser()
    parser.read_config(file)
    parser["inferer#base"] = {"_target_": "SliceInferer", "roi_size": [-1, -1], "spatial_dim": 2, "sw_batch_size": 8}
    ConfigParser.export_config_file(parser.get(), str(file), indent=1)
