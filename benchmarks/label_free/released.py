"""Rows that run a bundle as ``s3net segment`` does."""

from __future__ import annotations

import time
from collections.abc import Hashable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd
from torch.nn import functional as F

from benchmarks.common.types import BenchmarkCase, Partition, Predict, Row
from s3net_monai.engines import FlipTTAInferer
from s3net_monai.inference import Bundle, Case, bundle_root, load_bundle
from s3net_monai.inference.discovery.find_cases import IMAGE_2D_SUFFIXES, Kind
from s3net_monai.inference.run.segmenter import infer_sample, read_case
from s3net_monai.networks import ClusterToClass


def shipped_row(task: str) -> Row:
    """The weights that come with the package."""

    def prepare(seed: int) -> Predict:
        return bundle_predict(load_bundle(task, bundle_root(task), torch.device("cpu")))

    return Row("S3-Net (shipped weights)", "shipped", prepare)


def bundle_predict(bundle: Bundle) -> Predict:
    """A bundle as a method: its mask and consistency, and the clusters of its network on the untransformed image.

    A bundle whose network has no clusters, or that fits a new one to each image, has those of its mask.
    """

    def predict(case: BenchmarkCase) -> Partition:
        started = time.process_time()
        kind: Kind = "image_2d" if case.image.suffix.lower() in IMAGE_2D_SUFFIXES else "volume"
        sample = read_case(Case(case_id=case.case_id, input=case.image, image=(case.image,), kind=kind), bundle)
        image = sample["image"]
        segmentation = infer_sample(sample, bundle)
        seconds = time.process_time() - started
        mask = segmentation.mask > 0
        clusters = _clusters(image, bundle, mask.shape) if _has_clusters(bundle) else mask.astype(np.uint8)
        return Partition(mask, clusters, segmentation.consistency, seconds)

    return predict


def without(bundle: Bundle, step: type) -> Bundle:
    """The bundle without a kind of step in its postprocessing, such as one that brings a simple weak label in."""
    steps = cast(Compose, bundle.postprocessing).transforms
    return replace(bundle, postprocessing=Compose([each for each in steps if not isinstance(each, step)]))


def _has_clusters(bundle: Bundle) -> bool:
    return isinstance(bundle.network, ClusterToClass) and isinstance(bundle.inferer, FlipTTAInferer)


@torch.inference_mode()
def _clusters(image: MetaTensor, bundle: Bundle, shape: tuple[int, ...]) -> np.ndarray:
    """Clusters of a preprocessed image (C, X, Y[, Z]), on the grid of its source by nearest neighbor."""
    logits = bundle.inferer.base(image.as_tensor()[None].to(bundle.device), bundle.network.network)
    # one map a cluster: between the numbers of two clusters an interpolating step would find a third
    one_hot = F.one_hot(logits.argmax(dim=1)[0], logits.shape[1]).movedim(-1, 0).to(torch.float32)
    sample: dict[Hashable, Any] = {"image": image, "clusters": MetaTensor(one_hot)}
    invert = Invertd("clusters", cast(Compose, bundle.preprocessing), orig_keys="image", nearest_interp=True)
    return np.asarray(invert(sample)["clusters"].argmax(dim=0).cpu()).astype(np.uint8).reshape(shape)
