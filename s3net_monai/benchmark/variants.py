"""Settings of the S3-Net losses alone, and of what the ablation takes from them or replaces by the authors' version."""

from __future__ import annotations

from typing import Any

Overrides = dict[str, Any]

# No simple cue anywhere: clusters are named by their share at the centre of the picture against the border.
LOSSES_ALONE: Overrides = {
    "loss#cue": 0.0,
    "loss#affine": 1.0,
    "loss#balance": 2.0,
    "loss#self_clustering": 0.1,
    "loss#total_variation": 0.2,
    "train#deterministic_transforms#4#task": "centre",
    "train#handlers#0#threshold": None,
    "batch_size": 8,
    "learning_rate": 0.003,
    "spatial_size": [96, 96],
    "max_epochs": 4,
}

_SIZE = [96, 96]

# The reduced budget on which all variants are compared; the spatial term has the weight that LabelFreeLoss documents.
ABLATION_BASE: Overrides = {**LOSSES_ALONE, "loss#spatial": 0.1}

ABLATION: dict[str, Overrides] = {
    "full": {},
    "without I-LKA": {"network_def#network#attention": False},
    "without deformable convolution": {"network_def#network#deformable": "none"},
    "authors' deformable convolution (free offsets)": {
        "network_def#network#deformable": "free",
        "network_def#network#image_size": _SIZE,
    },
    "without affine term": {"loss#affine": 0.0, "loss#auxiliary": 0.0},
    "authors' affine term (input not transformed)": {
        "loss#affine": 0.0,
        "loss#auxiliary": 0.0,
        "loss#authors_affine": 0.2,
    },
    "mutual information for affine and balance": {
        "loss#affine": 0.0,
        "loss#balance": 0.0,
        "loss#mutual_information": 2.0,
    },
    "without spatial term": {"loss#spatial": 0.0},
    "authors' spatial term (no gradient)": {"loss#spatial": 0.0, "loss#authors_spatial": 4.0},
    "2 clusters": {"network_def#network#num_clusters": 2},
    "4 clusters": {"network_def#network#num_clusters": 4},
    "16 clusters": {"network_def#network#num_clusters": 16},
}
