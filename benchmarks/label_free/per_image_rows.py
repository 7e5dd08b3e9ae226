"""Rows that fit a network to every image anew."""

from __future__ import annotations

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Invertd
from monai.utils import set_determinism
from torch.nn import functional as F

from benchmarks.common.types import BenchmarkCase, Partition, Predict
from benchmarks.label_free.released import bundle_predict
from benchmarks.original_s3net.fit import fit_original_s3net
from s3net_monai.engines.assign_clusters import cluster_evidence, foreground_clusters
from s3net_monai.inference import bundle_root, load_bundle
from s3net_monai.transforms import skin_lesion_prior
from s3net_monai.transforms.skin_labeling import central_component

_AUTHORS_SIZE = (256, 256)


def corrected_per_image(task: str, seed: int) -> Predict:
    """A bundle's per-image mode, as ``s3net segment --mode per-image`` runs it."""
    set_determinism(seed)
    return bundle_predict(load_bundle(task, bundle_root(task), torch.device("cpu"), mode="per-image"))


def original_s3net_per_image(seed: int, steps: int = 50) -> Predict:
    """The authors' network, loss and fit on pictures of 256x256, their size; clusters named without ground truth.

    A cluster is lesion when the simple cues on the picture are in the majority for it, as in the corrected per-image
    mode, and the component with most pixels near the center is kept; the cues do not refine its outline, as they do
    there. Maps come to the picture's grid by nearest neighbor.

    Args:
        seed: of all fits together, in the order of the cases.
        steps: most optimization steps.
    """
    set_determinism(seed)
    parser = ConfigParser()
    parser.read_config(bundle_root("skin") / "configs" / "inference.json")
    parser["spatial_size"] = _AUTHORS_SIZE
    preprocessing = parser.get_parsed_content("preprocessing")
    invert = Invertd(("clusters", "mask"), preprocessing, orig_keys="image", nearest_interp=True, to_tensor=True)

    def predict(case: BenchmarkCase) -> Partition:
        sample = preprocessing({"image": str(case.image)})
        image = sample["image"].as_tensor()
        used, clusters = fit_original_s3net(image, steps=steps).unique(return_inverse=True)
        one_hot = F.one_hot(clusters, len(used)).movedim(-1, 0)[None].to(torch.float32)
        evidence = torch.as_tensor(skin_lesion_prior(image.numpy()))[None, None]
        named = foreground_clusters(cluster_evidence(one_hot, evidence), threshold=0.5)
        mask = torch.as_tensor(central_component(np.asarray(named[clusters] > 0)))
        maps = {"clusters": clusters, "mask": mask}
        sample |= {key: MetaTensor(array[None].to(torch.float32)) for key, array in maps.items()}
        found = invert(sample)
        mask_there, clusters_there = (np.asarray(found[key][0]).round() for key in ("mask", "clusters"))
        return Partition(mask_there > 0, clusters_there.astype(np.uint8))

    return predict
