"""What choosing needs to know of an image: where it lies among the others, and how consistent its mask is."""

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

SIZES = {2: 128, 3: 64}  # along every axis; by spatial dimensions


@dataclass(frozen=True)
class Measured:
    """``features`` (F,) float32 of an image, and the ``consistency`` of its mask from 0 to 1, as in report.json."""

    features: NDArray[np.float32]
    consistency: float | None


def measure_case(case: Case, bundle: Bundle) -> Measured:
    """Features and consistency of one case by a bundle, as ``s3net segment`` would read and segment it.

    Raises:
        CaseError: when the image cannot be read or does not suit the bundle.
    """
    from s3net_monai.inference.run.segmenter import infer_sample, read_case

    sample = read_case(case, bundle)
    features = features_of(sample["image"], bundle.network)
    return Measured(features, infer_sample(sample, bundle).consistency)


@torch.no_grad()
def features_of(image: Any, network: nn.Module) -> NDArray[np.float32]:
    """Mean and maximum of every channel of the network's coarsest map of an image (C, X, Y[, Z]).

    The image is brought to one small size, whatever its shape: a look at the whole, which also fits into memory. Of a
    volume a 2-D network sees every slice along the last axis.
    """
    network.eval()
    encoder = encoder_of(network)
    first = next(module for module in encoder.modules() if isinstance(module, _ConvNd))
    dims = first.weight.dim() - 2
    plain = torch.as_tensor(image).as_subclass(Tensor).to(first.weight.device)
    views = plain.movedim(-1, 0) if plain.dim() - 1 > dims else plain[None]
    small = F.interpolate(views.float(), size=(SIZES[dims],) * dims, mode="area")
    coarsest = encoder(small)[-1].transpose(0, 1).flatten(1)
    return torch.cat([coarsest.mean(dim=1), coarsest.amax(dim=1)]).cpu().numpy()


def encoder_of(network: nn.Module) -> nn.Module:
    """The part of a bundle's network that gives a list of feature maps, finest first.

    Raises:
        ValueError: when the network has none.
    """
    if isinstance(network, ClusterToClass):
        return S3NetEncoder(network.network)
    encoder = getattr(network, "encoder", None)
    if not isinstance(encoder, nn.Module):
        raise ValueError(f"{type(network).__name__} has no encoder; choose images with an S3-Net or an EncoderUNet")
    return encoder
