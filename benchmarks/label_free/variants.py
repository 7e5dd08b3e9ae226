"""Settings of the S3-Net losses alone, and what the ablation takes from them or replaces by the authors' version."""

from __future__ import annotations

from typing import Any

Overrides = dict[str, Any]

# No simple weak label anywhere: clusters are named by their share at the center of the picture against the border. More images
# and epochs than these raise the agreement of the views and split the lesion into several clusters.
LOSSES_ALONE: Overrides = {
    "loss#weak_label": 0.0,
    "loss#affine": 1.0,
    "loss#balance": 2.0,
    "loss#self_clustering": 0.1,
    "loss#spatial": 0.1,
    "loss#total_variation": 0.2,
    "network_def#network#num_clusters": 6,
    "train#deterministic_transforms#4#task": "center",
    "train#handlers#0#threshold": None,
    "batch_size": 8,
    "learning_rate": 0.003,
    "spatial_size": [96, 96],
    "max_epochs": 4,
}

_SIZE = [96, 96]

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
    "without spatial term": {"loss#spatial": 0.0},
    "authors' spatial term (no gradient)": {"loss#spatial": 0.0, "loss#authors_spatial": 4.0},
    "4 clusters": {"network_def#network#num_clusters": 4},
    "8 clusters": {"network_def#network#num_clusters": 8},
}
