"""Rows that run a bundle as ``s3net segment`` does, among them the released weights."""

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
from s3net_monai.file_formats import IMAGE_2D_SUFFIXES
from s3net_monai.inference import Bundle, Case, bundle_root, load_bundle
from s3net_monai.inference.discovery.find_cases import Kind
from s3net_monai.inference.run.segmenter import infer_sample, read_case
from s3net_monai.networks import ClusterToClass


def released_row(task: str) -> Row:
    """Return the row of the weights that come with the package."""

    def prepare(seed: int) -> Predict:
        return bundle_predict(load_bundle(task, bundle_root(task), torch.device("cpu")))

    return Row("S3-Net (released weights)", "released", prepare)


def bundle_predict(bundle: Bundle) -> Predict:
    """Return a bundle as a method: its mask, consistency and clusters.

    The clusters are those of its network for the untransformed image.

    If the network has no clusters, or a new one is fitted to each image, the mask and its complement are the clusters.
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
        return Partition(mask, clusters, consistency=segmentation.consistency, seconds=seconds)

    return predict


def without_step(bundle: Bundle, step: type) -> Bundle:
    """Return the bundle without one kind of postprocessing step."""
    transforms = cast(Compose, bundle.postprocessing).transforms
    remaining = [transform for transform in transforms if not isinstance(transform, step)]
    return replace(bundle, postprocessing=Compose(remaining))


def _has_clusters(bundle: Bundle) -> bool:
    return isinstance(bundle.network, ClusterToClass) and isinstance(bundle.inferer, FlipTTAInferer)


@torch.inference_mode()
def _clusters(image: MetaTensor, bundle: Bundle, shape: tuple[int, ...]) -> np.ndarray:
    """Return the clusters of a preprocessed image (C, X, Y[, Z]) on the grid of its source.

    They are resampled by nearest neighbor.
    """
    logits = bundle.inferer.base(image.as_tensor()[None].to(bundle.device), bundle.network.network)
    # One map per cluster: interpolating between the numbers of two clusters would give the number of a third.
    one_hot = F.one_hot(logits.argmax(dim=1)[0], logits.shape[1]).movedim(-1, 0).to(torch.float32)
    sample: dict[Hashable, Any] = {"image": image, "clusters": MetaTensor(one_hot)}
    invert = Invertd("clusters", cast(Compose, bundle.preprocessing), orig_keys="image", nearest_interp=True)
    return np.asarray(invert(sample)["clusters"].argmax(dim=0).cpu()).astype(np.uint8).reshape(shape)
