"""The scores that selection needs of an image: features that relate it to other images, and its mask's consistency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.conv import _ConvNd

from s3net_monai.networks import ClusterToClass, S3NetEncoder

if TYPE_CHECKING:
    from s3net_monai.inference.bundle import Bundle
    from s3net_monai.inference.discovery.cases import Case

FEATURE_SIZES = {2: 128, 3: 64}  # image size along every axis, by number of spatial dimensions


@dataclass(frozen=True)
class CandidateScore:
    """Scores of one image.

    Attributes:
        features: (F,) float32.
        consistency: of its mask, from 0 to 1, as in ``report.json``.
    """

    features: NDArray[np.float32]
    consistency: float | None


def score_candidate(case: Case, bundle: Bundle) -> CandidateScore:
    """Compute features and consistency of one case, read and segmented as by ``s3net segment``.

    Raises:
        CaseError: when the image cannot be read or does not suit the bundle.
    """
    from s3net_monai.inference.run.segmenter import infer_sample, read_case

    sample = read_case(case, bundle)
    features = image_features(sample["image"], bundle.network)
    return CandidateScore(features, infer_sample(sample, bundle).consistency)


@torch.no_grad()
def image_features(image: Any, network: nn.Module) -> NDArray[np.float32]:
    """Compute mean and maximum of every channel of the network's coarsest feature map.

    The image is resampled to one small size regardless of its shape, so that the features describe the whole image and
    the computation fits into memory. A 2-D network processes every slice of a volume along the last axis.

    Args:
        image: (C, X, Y[, Z]).
        network: a network with an encoder; it is set to evaluation mode.

    Returns:
        (2 * channels,) float32, all means before all maxima.
    """
    network.eval()
    encoder = find_encoder(network)
    first_convolution = next(module for module in encoder.modules() if isinstance(module, _ConvNd))
    dims = first_convolution.weight.dim() - 2
    tensor = torch.as_tensor(image).as_subclass(Tensor).to(first_convolution.weight.device)
    batch = tensor.movedim(-1, 0) if tensor.dim() - 1 > dims else tensor[None]
    resampled = F.interpolate(batch.float(), size=(FEATURE_SIZES[dims],) * dims, mode="area")
    coarsest = encoder(resampled)[-1].transpose(0, 1).flatten(1)
    return torch.cat([coarsest.mean(dim=1), coarsest.amax(dim=1)]).cpu().numpy()


def find_encoder(network: nn.Module) -> nn.Module:
    """Return the part of a bundle's network that computes a list of feature maps, finest first.

    Raises:
        ValueError: when the network has none.
    """
    if isinstance(network, ClusterToClass):
        return S3NetEncoder(network.network)
    encoder = getattr(network, "encoder", None)
    if not isinstance(encoder, nn.Module):
        raise ValueError(f"{type(network).__name__} has no encoder; select images with an S3-Net or an EncoderUNet")
    return encoder
