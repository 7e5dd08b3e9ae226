"""The mask on the grid of the source, from a probability on the grid of the network."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from copy import deepcopy
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd, InvertibleTransform
from monai.transforms.utils import allow_missing_keys_mode

from s3net_monai.transforms.resample import ResampleToSpacingd


class MaskOnSourced(Invertd):
    """Map foreground probabilities back to the source's grid, and threshold them there.

    The mask is that of ``Invertd`` and ``AsDiscreted``, without a probability for every voxel of the source: in a CT of
    512 x 512 x 300 voxels those have 0.3 GB. It is an ``Invertd`` by class, too: without one, MONAI Label appends a
    resizing of its own.

    Args:
        keys: foreground probabilities (1, X, Y, Z) on the grid of the network.
        transform: the preprocessing. Nothing before its ``ResampleToSpacingd`` may have changed the grid.
        orig_keys: the image, whose metadata tell how it was preprocessed.
        threshold: lowest probability of the foreground.

    Raises:
        ValueError: when ``transform`` does not resample, or changes the grid before it does.

    Example:
        >>> import torch
        >>> from monai.data import MetaTensor
        >>> preprocessing = Compose([ResampleToSpacingd("image", pixdim=(2.0, 2.0, 2.0))])
        >>> sample = preprocessing({"image": MetaTensor(torch.rand(1, 8, 8, 8), affine=torch.eye(4))})
        >>> sample["pred"] = MetaTensor(torch.ones(1, 4, 4, 4))
        >>> MaskOnSourced("pred", preprocessing, "image")(sample)["pred"].shape
        torch.Size([1, 8, 8, 8])
    """

    def __init__(self, keys: KeysCollection, transform: Compose, orig_keys: str, threshold: float = 0.5) -> None:
        super().__init__(keys, transform, orig_keys=orig_keys, nearest_interp=False, to_tensor=True)
        steps = list(transform.transforms)
        index = next((index for index, step in enumerate(steps) if isinstance(step, ResampleToSpacingd)), None)
        if index is None:
            raise ValueError("transform has no ResampleToSpacingd; give the preprocessing, or use Invertd")
        earlier = [type(step).__name__ for step in steps[:index] if isinstance(step, InvertibleTransform)]
        if earlier:
            raise ValueError(
                f"{earlier[0]} stands before ResampleToSpacingd in transform; put it after, or use Invertd"
            )
        self.resample = steps[index].resample
        self.later: list[Any] = [step for step in steps[index + 1 :] if isinstance(step, InvertibleTransform)]
        self.threshold = threshold

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return a copy of the sample with masks (1, X, Y, Z), uint8, on the source's grid."""
        sample = dict(data)
        for key, orig_key in self.key_iterator(sample, self.orig_keys):
            image = sample[orig_key]
            # As Invertd does: the probabilities take the place of the image, with all that was done to it.
            meta = {name: deepcopy(value) for name, value in image.meta.items() if name != "affine"}
            operations = deepcopy(image.applied_operations)
            values = torch.as_tensor(sample[key]).as_subclass(torch.Tensor).detach()
            inverted = MetaTensor(values, affine=image.affine.clone(), meta=meta, applied_operations=operations)
            for step in reversed(self.later):
                with allow_missing_keys_mode(step):
                    inverted = step.inverse({orig_key: inverted})[orig_key]
            sample[key] = self.resample.inverse_above(inverted, self.threshold)
        return sample
