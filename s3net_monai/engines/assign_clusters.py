"""Assignment of clusters to classes by a rule over the training set, without ground truth."""

from __future__ import annotations

from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from torch import Tensor

from s3net_monai.networks.cluster_to_class import ClusterToClass


def foreground_clusters(evidence: Tensor, threshold: float | None) -> Tensor:
    """Return 1 for every cluster whose mean evidence exceeds the threshold, else 0, (K,).

    An assignment with one class is useless: where no cluster exceeds the threshold, the one with the highest mean
    evidence is foreground, and where all do, the one with the lowest is background.

    Args:
        evidence: rows (mass of the cluster, mass weighted by the evidence map), (2, K).
        threshold: mean evidence in [0, 1] above which a cluster is foreground; None for the mean over all clusters.
    """
    mass, weighted = evidence
    mean = weighted / mass.clamp_min(1e-12)
    limit = float(weighted.sum() / mass.sum().clamp_min(1e-12)) if threshold is None else threshold
    assignment = (mean > limit).long()
    if assignment.sum() == 0:
        assignment[mean.argmax()] = 1
    elif assignment.all():
        assignment[mean.argmin()] = 0
    return assignment


def cluster_evidence(clusters: Tensor, evidence: Tensor) -> Tensor:
    """Return rows (mass of each cluster, mass weighted by the evidence), (2, K).

    Args:
        clusters: cluster probabilities (B, K, X, Y[, Z]).
        evidence: map in [0, 1], (B, 1, X, Y[, Z]).
    """
    return torch.stack([part.transpose(0, 1).flatten(1).sum(dim=1) for part in (clusters, clusters * evidence)])


class AssignClusters:
    """An Ignite handler that assigns clusters to classes after every epoch.

    It uses the images of that epoch. The evidence is the map that the training samples hold beside the image: the weak
    label, or a mere preference for the center. One rule over the whole data set is far more stable than one per image.

    Args:
        network: whose assignment is set; its state dict holds it.
        threshold: see ``foreground_clusters``.
        evidence_key: key of the evidence maps among the views.

    Example:
        >>> import torch
        >>> from ignite.engine import Engine
        >>> from s3net_monai.networks import ClusterToClass, S3Net
        >>> network = ClusterToClass(S3Net(in_channels=1, num_clusters=2, channels=4, num_blocks=1))
        >>> logits = torch.zeros(2, 2, 4, 4)
        >>> logits[:, 0, :2], logits[:, 1, 2:] = 9, 9
        >>> weak_label = torch.zeros(1, 1, 4, 4)
        >>> weak_label[..., :2, :] = 1
        >>> trainer = Engine(lambda engine, batch: {"pred": (logits, logits), "label": {"weak_label": weak_label}})
        >>> AssignClusters(network).attach(trainer)
        >>> _ = trainer.run([0])
        >>> network.cluster_class.tolist()
        [1, 0]
    """

    def __init__(
        self, network: ClusterToClass, threshold: float | None = 0.5, evidence_key: str = "weak_label"
    ) -> None:
        self.network, self.threshold, self.evidence_key = network, threshold, evidence_key
        self._evidence = torch.zeros(2, 1)

    def attach(self, engine: Engine) -> None:
        """Listen to a trainer whose output holds "pred" (both heads) and "label" (both views)."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.reset)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.assign)

    def reset(self, engine: Engine) -> None:
        """Discard the evidence of the last epoch."""
        self._evidence = torch.zeros(2, 1)

    def update(self, engine: Engine) -> None:
        """Add the evidence of one iteration, from the untransformed views."""
        output: Any = engine.state.output
        clusters = torch.softmax(output["pred"][0].detach().float().chunk(2)[0], dim=1)
        evidence = output["label"][self.evidence_key].float()
        self._evidence = self._evidence + cluster_evidence(clusters, evidence).cpu()

    def assign(self, engine: Engine) -> None:
        """Set the assignment."""
        device = self.network.cluster_class.device
        # Every process of a distributed run has seen only its own part of the images.
        evidence = torch.as_tensor(idist.all_reduce(self._evidence.to(device)))
        self.network.set_assignment(foreground_clusters(evidence, self.threshold))
