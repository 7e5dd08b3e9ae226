"""Rows that fit a new network to every image."""

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

_ORIGINAL_SIZE = (256, 256)


def corrected_per_image(task: str, seed: int) -> Predict:
    """Return a bundle's per-image mode, as ``s3net segment --mode per-image`` runs it."""
    set_determinism(seed)
    return bundle_predict(load_bundle(task, bundle_root(task), torch.device("cpu"), mode="per-image"))


def original_s3net_per_image(seed: int, steps: int = 50) -> Predict:
    """Return the authors' network, loss and fit on images of 256x256 pixels, their size.

    Clusters are assigned to classes without ground truth. A cluster is lesion when a majority of the labeling functions
    marks it, as in the corrected per-image mode, and the component with most pixels near the center is kept. Unlike in
    that mode, the labeling functions do not refine its outline. Maps are resampled to the image's grid by nearest
    neighbor.

    Args:
        seed: seed of all fits together, in the order of the cases.
        steps: maximum number of optimization steps.
    """
    set_determinism(seed)
    parser = ConfigParser()
    parser.read_config(bundle_root("skin") / "configs" / "inference.json")
    parser["spatial_size"] = _ORIGINAL_SIZE
    preprocessing = parser.get_parsed_content("preprocessing")
    invert = Invertd(("clusters", "mask"), preprocessing, orig_keys="image", nearest_interp=True, to_tensor=True)

    def predict(case: BenchmarkCase) -> Partition:
        sample = preprocessing({"image": str(case.image)})
        image = sample["image"].as_tensor()
        numbers, clusters = fit_original_s3net(image, steps=steps).unique(return_inverse=True)
        one_hot = F.one_hot(clusters, len(numbers)).movedim(-1, 0)[None].to(torch.float32)
        evidence = torch.as_tensor(skin_lesion_prior(image.numpy()))[None, None]
        is_lesion = foreground_clusters(cluster_evidence(one_hot, evidence), threshold=0.5)
        mask = torch.as_tensor(central_component(np.asarray(is_lesion[clusters] > 0)))
        maps = {"clusters": clusters, "mask": mask}
        sample |= {key: MetaTensor(array[None].to(torch.float32)) for key, array in maps.items()}
        inverted = invert(sample)
        source_mask, source_clusters = (np.asarray(inverted[key][0]).round() for key in ("mask", "clusters"))
        return Partition(source_mask > 0, source_clusters.astype(np.uint8))

    return predict
