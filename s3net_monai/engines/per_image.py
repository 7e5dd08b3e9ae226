"""Per-image fitting: a fresh network for one image, as the S3-Net paper does it, with losses that have gradients."""

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


class PerImageInferer(Inferer):
    """An inferer that fits a copy of an untrained network to the image it is given and ignores the trained one.

    SGD with momentum 0.9, at most ``steps`` steps, from the sixth on stopped once few clusters are left
    (arXiv 2309.00143, section 3.1). A cluster is foreground when the vote of simple cues on the image is above one half
    on average within it.

    Args:
        classes: the untrained network; every image starts from a copy of it.
        loss: the terms; the weak label term must be off, since the vote only names.
        vote: gives the evidence map (X, Y[, Z]) of an image (C, X, Y[, Z]), as ``transforms.skin_labeling``.
        views: makes the two views of the image.
        averaging: runs the fitted network.
        steps: most optimization steps.
        min_clusters: number of clusters in use at which fitting stops.
        learning_rate: of SGD.
    """

    def __init__(
        self,
        classes: ClusterToClass,
        loss: LabelFreeLoss,
        vote: Callable[[Any], Any],
        views: TwoViews,
        averaging: FlipTTAInferer,
        steps: int = 50,
        min_clusters: int = 3,
        learning_rate: float = 0.05,
    ) -> None:
        super().__init__()
        self.classes, self.loss, self.vote, self.make_views, self.averaging = classes, loss, vote, views, averaging
        self.steps, self.min_clusters, self.learning_rate = steps, min_clusters, learning_rate

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Class probabilities (B, classes, X, Y[, Z]) of images (B, C, X, Y[, Z])."""
        return torch.cat([self.averaging(image, self.fit(image)) for image in inputs.split(1)])

    def views(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Iterator[Tensor]:
        """Probabilities of transformed copies of one image (1, C, X, Y[, Z]), mapped back; one fit serves all."""
        yield from self.averaging.views(inputs, self.fit(inputs))

    def fit(self, image: Tensor) -> ClusterToClass:
        """The network fitted to one image (1, C, X, Y[, Z]), its clusters named, ready to infer."""
        with torch.inference_mode(False), torch.enable_grad():
            image = torch.as_tensor(image).as_subclass(Tensor).clone()
            classes = copy.deepcopy(self.classes).to(image.device).train()
            heads = S3NetTrainingHeads(classes)
            optimizer = torch.optim.SGD(classes.parameters(), lr=self.learning_rate, momentum=0.9)
            for step in range(self.steps):
                views, target = self.make_views({self.make_views.image_key: image}, image.device)
                output = heads(views)
                optimizer.zero_grad()
                self.loss(output, target).backward()
                optimizer.step()
                if step >= 5 and output[0].argmax(dim=1).unique().numel() <= self.min_clusters:
                    break
            _calibrate(classes, image)
            evidence = torch.as_tensor(self.vote(image[0].cpu().numpy()))[None, None].to(image)
            with torch.no_grad():
                clusters = torch.softmax(classes.network(image), dim=1)
            classes.set_assignment(foreground_clusters(cluster_evidence(clusters, evidence), threshold=0.5))
        return classes


def _calibrate(classes: ClusterToClass, image: Tensor) -> None:
    """Give batch normalization the statistics of the image: after a few steps the running ones are still the first."""
    for module in classes.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    with torch.no_grad():
        classes.network(image)
    classes.eval()
