"""Images that nobody has corrected, with the masks that a bundle gives them, to train on beside corrected ones."""

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


def add_served_masks(
    samples: Sequence[Sample],
    bundle: Bundle,
    leave_out: float = 0.2,
    image_key: str = "image",
    label_key: str = "label",
) -> list[Sample]:
    """Samples with the bundle's own masks as labels (1, X, Y[, Z]), 0 and 1, without the least consistent ones.

    The mask is what ``s3net segment`` would give, before it goes back to the grid of the file: mean of the views, and
    the bundle's postprocessing up to ``Invertd``. It knows more than the network alone, such as where a picture's own
    cues end the lesion, and a network that is trained on few corrected masks keeps what it knew of all others. The
    masks that fail are those that the consistency score tells: they would teach failing.

    Args:
        samples: with an image (C, X, Y[, Z]) as the bundle's preprocessing gives it, of any size.
        bundle: of one structure, that is cut from the background at a probability of 0.5.
        leave_out: share of the samples to leave out, from 0 to 1.
        image_key: key of the images.
        label_key: key of the masks.

    Returns:
        Samples in their order.
    """
    # by index: an empty CacheDataset cannot be iterated over
    found = [_with_mask(dict(samples[index]), bundle, image_key, label_key) for index in range(len(samples))]
    by_score = sorted(range(len(found)), key=lambda index: found[index][0])
    kept = sorted(by_score[int(leave_out * len(found)) :])
    return [found[index][1] for index in kept]


@torch.no_grad()
def _with_mask(sample: Sample, bundle: Bundle, image_key: str, label_key: str) -> tuple[float, Sample]:
    from s3net_monai.inference.run.segmenter import mean_of_views

    image = torch.as_tensor(sample[image_key]).as_subclass(Tensor)
    probabilities, agreement = mean_of_views(image[None].to(bundle.device), bundle)
    steps = cast(Compose, bundle.postprocessing).transforms
    before = takewhile(lambda step: not isinstance(step, Invertd), steps)
    served = Compose(list(before))({"image": MetaTensor(image), "pred": MetaTensor(probabilities[0])})
    score = (agreement or 0.0) * float(served.get("quality_factor", 1.0))
    mask = torch.as_tensor(served["pred"]).as_subclass(Tensor).cpu() >= 0.5
    return score, {**sample, label_key: mask.to(torch.float32)}
