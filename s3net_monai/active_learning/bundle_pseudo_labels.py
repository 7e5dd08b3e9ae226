"""Pseudo-labels of a bundle for images without a corrected mask, to train on together with corrected ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, cast

import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd
from torch import Tensor

if TYPE_CHECKING:
    from s3net_monai.inference.bundle import Bundle

Sample = dict[str, Any]


def add_bundle_pseudo_labels(
    samples: Sequence[Sample],
    bundle: Bundle,
    excluded_fraction: float = 0.2,
    *,
    image_key: str = "image",
    label_key: str = "label",
) -> list[Sample]:
    """Add the bundle's own masks as labels, and exclude the samples with the least consistent masks.

    The mask is that of ``s3net segment`` before it is resampled to the grid of the file: the mean over the views of
    test-time augmentation after the bundle's postprocessing up to ``Invertd``. It contains more information than the
    network's output alone, such as the weak label of the image itself; training on it together with a few corrected
    masks preserves what the network had learned from all other images. Masks with low consistency are excluded because
    they tend to be wrong, and training would reinforce their errors.

    Args:
        samples: each with an image (C, X, Y[, Z]) of any size, as the bundle's preprocessing returns it.
        bundle: with one structure, segmented at a probability of 0.5.
        excluded_fraction: fraction of the samples to exclude, from 0 to 1.
        image_key: key of the images.
        label_key: key of the masks.

    Returns:
        The remaining samples in their order, each with a mask (1, X, Y[, Z]) of 0 and 1.
    """
    # by index, since an empty CacheDataset cannot be iterated over
    scored = [
        _with_mask(dict(samples[index]), bundle, image_key=image_key, label_key=label_key)
        for index in range(len(samples))
    ]
    by_score = sorted(range(len(scored)), key=lambda index: scored[index][0])
    included = sorted(by_score[int(excluded_fraction * len(scored)) :])
    return [scored[index][1] for index in included]


@torch.no_grad()
def _with_mask(sample: Sample, bundle: Bundle, *, image_key: str, label_key: str) -> tuple[float, Sample]:
    """The consistency of the bundle's mask, and the sample with the mask as its label."""
    from s3net_monai.inference.run.segmenter import mean_of_views

    image = torch.as_tensor(sample[image_key]).as_subclass(Tensor)
    probabilities, agreement = mean_of_views(image[None].to(bundle.device), bundle)
    steps = cast(Compose, bundle.postprocessing).transforms
    steps_before_inversion = takewhile(lambda step: not isinstance(step, Invertd), steps)
    prediction = Compose(list(steps_before_inversion))(
        {"image": MetaTensor(image), "pred": MetaTensor(probabilities[0])}
    )
    score = (agreement or 0.0) * float(prediction.get("quality_factor", 1.0))
    mask = torch.as_tensor(prediction["pred"]).as_subclass(Tensor).cpu() >= 0.5
    return score, {**sample, label_key: mask.to(torch.float32)}
