"""Which clusters are the structure: a rule over the training set that sees no ground truth."""

from __future__ import annotations

from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from torch import Tensor

from s3net_monai.networks.cluster_to_class import ClusterToClass


def foreground_clusters(evidence: Tensor, threshold: float | None) -> Tensor:
    """1 for every cluster whose mean evidence exceeds the threshold, else 0, as integers (K,).

    Where none or all do, the cluster of most evidence, or all but the one of least, are foreground, since a naming with
    one class says nothing.

    Args:
        evidence: rows (mass of the cluster, mass weighted by the evidence map), (2, K).
        threshold: mean evidence in [0, 1] above which a cluster is foreground; None for the mean over all clusters.
    """
    mass, weighted = evidence
    mean = weighted / mass.clamp_min(1e-12)
    limit = float(weighted.sum() / mass.sum().clamp_min(1e-12)) if threshold is None else threshold
    named = (mean > limit).long()
    if named.sum() == 0:
        named[mean.argmax()] = 1
    elif named.all():
        named[mean.argmin()] = 0
    return named


def cluster_evidence(clusters: Tensor, evidence: Tensor) -> Tensor:
    """Rows (mass of each cluster, mass weighted by the evidence), (2, K).

    Args:
        clusters: cluster probabilities (B, K, X, Y[, Z]).
        evidence: map in [0, 1], (B, 1, X, Y[, Z]).
    """
    return torch.stack([part.transpose(0, 1).flatten(1).sum(dim=1) for part in (clusters, clusters * evidence)])


class AssignClusters:
    """An ignite handler that names the clusters anew after every epoch, from the images the epoch has seen.

    The evidence is the map that the training samples carry beside the image: the vote of simple cues, or a mere
    preference for the center. One rule over the whole data set is far steadier than one image at a time.

    Args:
        classes: the network whose naming is set; its state dict carries it.
        threshold: see ``foreground_clusters``.
        evidence_key: key of the evidence maps among the views.
    """

    def __init__(
        self, classes: ClusterToClass, threshold: float | None = 0.5, evidence_key: str = "weak_label"
    ) -> None:
        self.classes, self.threshold, self.evidence_key = classes, threshold, evidence_key
        self._evidence = torch.zeros(2, 1)

    def attach(self, engine: Engine) -> None:
        """Listen to a trainer whose output holds "pred" (both heads) and "label" (both views)."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.reset)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.assign)

    def reset(self, engine: Engine) -> None:
        """Forget the evidence of the last epoch."""
        self._evidence = torch.zeros(2, 1)

    def update(self, engine: Engine) -> None:
        """Add the evidence of one iteration, from the untransformed views."""
        output: Any = engine.state.output
        clusters = torch.softmax(output["pred"][0].detach().float().chunk(2)[0], dim=1)
        evidence = output["label"][self.evidence_key].float()
        self._evidence = self._evidence + cluster_evidence(clusters, evidence).cpu()

    def assign(self, engine: Engine) -> None:
        """Set the naming."""
        device = self.classes.cluster_class.device
        # every process of a distributed run has seen its own share of the images
        evidence = torch.as_tensor(idist.all_reduce(self._evidence.to(device)))
        self.classes.set_assignment(foreground_clusters(evidence, self.threshold))
