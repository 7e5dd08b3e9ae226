"""Settings of training with S3-Net's losses alone, and the variants of the ablation."""

from __future__ import annotations

from typing import Any

Overrides = dict[str, Any]

# No weak labels: clusters are assigned by their frequency at the center of the image compared with its border. More
# images and epochs raise the agreement of the views and split the lesion into several clusters.
LOSSES_ALONE: Overrides = {
    "loss#terms#weak_label#weight": 0.0,
    "loss#terms#affine#weight": 1.0,
    "loss#terms#balance#weight": 2.0,
    "loss#terms#self_clustering#weight": 0.1,
    "loss#terms#spatial#weight": 0.1,
    "loss#terms#total_variation#weight": 0.2,
    "network_def#network#num_clusters": 6,
    "train#deterministic_transforms#4#task": "center",
    "train#handlers#0#threshold": None,
    "batch_size": 8,
    "learning_rate": 0.003,
    "spatial_size": [96, 96],
    "max_epochs": 4,
}

_SIZE = [96, 96]
_NETWORKS = "benchmarks.label_free.ablation_networks"


def _original_term(name: str, inputs: list[str], weight: float) -> dict[str, Any]:
    loss = {"_target_": f"benchmarks.original_s3net.losses.{name}"}
    return {"_target_": "s3net_monai.losses.WeightedTerm", "weight": weight, "inputs": inputs, "loss": loss}


ORIGINAL_AFFINE = _original_term("OriginalAffineLoss", ["first", "first_auxiliary"], 0.2)
ORIGINAL_SPATIAL = _original_term("OriginalSpatialLoss", ["main"], 4.0)

ABLATION: dict[str, Overrides] = {
    "full": {},
    "without I-LKA": {"network_def#network#_target_": f"{_NETWORKS}.S3NetWithoutAttention"},
    "without deformable convolution": {"network_def#network#_target_": f"{_NETWORKS}.S3NetWithoutDeformable"},
    "authors' deformable convolution (free offsets)": {
        "network_def#network#_target_": f"{_NETWORKS}.S3NetWithFreeOffsets",
        "network_def#network#image_size": _SIZE,
    },
    "without affine term": {"loss#terms#affine#weight": 0.0, "loss#terms#auxiliary#weight": 0.0},
    "authors' affine term (input not transformed)": {
        "loss#terms#affine#weight": 0.0,
        "loss#terms#auxiliary#weight": 0.0,
        "loss#terms#original_affine": ORIGINAL_AFFINE,
    },
    "without spatial term": {"loss#terms#spatial#weight": 0.0},
    "authors' spatial term (no gradient)": {
        "loss#terms#spatial#weight": 0.0,
        "loss#terms#original_spatial": ORIGINAL_SPATIAL,
    },
    "4 clusters": {"network_def#network#num_clusters": 4},
    "8 clusters": {"network_def#network#num_clusters": 8},
}
