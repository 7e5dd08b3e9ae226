"""Per-image fitting of a new network, as in the S3-Net paper, with differentiable losses."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from monai.inferers import Inferer
from torch import Tensor, nn

from s3net_monai.engines.assign_clusters import cluster_evidence, foreground_clusters
from s3net_monai.engines.flip_tta_inferer import FlipTTAInferer
from s3net_monai.engines.two_views import TwoViews
from s3net_monai.losses.label_free import LabelFreeLoss
from s3net_monai.networks.cluster_to_class import ClusterToClass, S3NetTrainingHeads
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.memory_reuse import keep_freed_memory

_MIN_STEPS = 6


class PerImageInferer(Inferer):
    """An inferer that fits a copy of an untrained network to every image.

    It ignores the trained network. It uses SGD with momentum 0.9 for at most ``steps`` steps, and stops from the sixth
    step on when few clusters are left (arXiv 2309.00143, section 3.1). A cluster is foreground when the weak label of
    the image exceeds one half on average within it.

    Args:
        network: the untrained network; every image starts from a copy of it.
        loss: the terms; the weak-label term must be off, since the weak label only assigns clusters to classes.
        weak_label: gives the weak label (X, Y[, Z]) of an image (C, X, Y[, Z]), both numpy arrays, as
            ``skin_weak_label`` does.
        views: makes the two views of the image.
        tta_inferer: runs the fitted network, with test-time augmentation.
        steps: largest number of optimization steps.
        min_clusters: number of clusters in use at which fitting stops.
        learning_rate: of SGD.

    Example:
        >>> import torch
        >>> from s3net_monai.losses import SelfClusteringLoss, WeightedTerm
        >>> from s3net_monai.networks import S3Net
        >>> inferer = PerImageInferer(
        ...     ClusterToClass(S3Net(in_channels=1, num_clusters=2, channels=4, num_blocks=1)),
        ...     LabelFreeLoss({"self_clustering": WeightedTerm(SelfClusteringLoss(), ["main"])}),
        ...     weak_label=lambda image: image[0],
        ...     views=TwoViews(),
        ...     tta_inferer=FlipTTAInferer(),
        ...     steps=1,
        ... )
        >>> inferer(torch.rand(1, 1, 8, 8), torch.nn.Identity()).shape
        torch.Size([1, 2, 8, 8])
    """

    def __init__(
        self,
        network: ClusterToClass,
        loss: LabelFreeLoss,
        *,
        weak_label: Callable[[Any], Any],
        views: TwoViews,
        tta_inferer: FlipTTAInferer,
        steps: int = 50,
        min_clusters: int = 3,
        learning_rate: float = 0.05,
    ) -> None:
        super().__init__()
        self.network, self.loss, self.weak_label = network, loss, weak_label
        self.make_views, self.tta_inferer = views, tta_inferer
        self.steps, self.min_clusters, self.learning_rate = steps, min_clusters, learning_rate

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Return class probabilities (B, classes, X, Y[, Z]) of images (B, C, X, Y[, Z])."""
        return torch.cat([self.tta_inferer(image, self.fit(image)) for image in inputs.split(1)])

    def views(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Iterator[Tensor]:
        """Yield probabilities of transformed copies of one image, mapped back; one fit serves all."""
        yield from self.tta_inferer.views(inputs, self.fit(inputs))

    def fit(self, image: Tensor) -> ClusterToClass:
        """Return the network fitted to one image (1, C, X, Y[, Z]), its clusters assigned."""
        keep_freed_memory()
        with torch.inference_mode(False), torch.enable_grad():
            image = torch.as_tensor(image).as_subclass(Tensor).clone()
            network = copy.deepcopy(self.network).to(image.device).train()
            heads = S3NetTrainingHeads(network)
            optimizer = torch.optim.SGD(network.parameters(), lr=self.learning_rate, momentum=0.9)
            for step in range(self.steps):
                views, target = self.make_views({self.make_views.image_key: image}, image.device)
                output = heads(views)
                optimizer.zero_grad()
                loss = self.loss(output, target)
                if not torch.isfinite(loss):
                    raise CaseError(
                        f"the loss of the fit is {float(loss.detach())} at step {step + 1}, so there is no network for "
                        "this image; look for extreme values in it, or use --mode amortized"
                    )
                loss.backward()
                optimizer.step()
                if step + 1 >= _MIN_STEPS and output[0].argmax(dim=1).unique().numel() <= self.min_clusters:
                    break
            _calibrate(network, image)
            evidence = torch.as_tensor(self.weak_label(image[0].cpu().numpy()))[None, None].to(image)
            with torch.no_grad():
                clusters = torch.softmax(network.network(image), dim=1)
            network.set_assignment(foreground_clusters(cluster_evidence(clusters, evidence), threshold=0.5))
        return network


def _calibrate(network: ClusterToClass, image: Tensor) -> None:
    """Set the statistics of batch normalization to those of the image.

    After a few steps the running statistics are still close to their initial values.
    """
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    with torch.no_grad():
        network.network(image)
    network.eval()
