"""The label-free objective: a weighted sum of terms over two views of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.loss import _Loss

from s3net_monai.losses.affine_consistency import in_bounds_mask, warp

Views = Mapping[str, Tensor]


class Heads(NamedTuple):
    """Cluster logits of both heads; ``first`` and ``second`` are the halves of ``main``.

    The halves are cut once, before any term: the order in which autograd sums the gradients of the terms, and with it
    the last bits of all weights, depends on where they are cut.
    """

    main: Tensor
    auxiliary: Tensor
    first: Tensor
    second: Tensor


# The inputs that a term can name. Shapes: B images in two views, K clusters.
_INPUTS: dict[str, Callable[[Heads, Views], Tensor]] = {
    "main": lambda heads, views: heads.main,  # logits of the main head, (2B, K, ...)
    "first": lambda heads, views: heads.first,  # of the originals, (B, K, ...)
    "second": lambda heads, views: heads.second,  # of the transformed images
    "first_detached": lambda heads, views: heads.first.detach(),
    "first_auxiliary": lambda heads, views: heads.auxiliary.chunk(2)[0],
    "second_auxiliary": lambda heads, views: heads.auxiliary.chunk(2)[1],
    "image": lambda heads, views: views["image"],  # both views, (2B, C, ...)
    "grid": lambda heads, views: views["grid"],  # (B, X, Y[, Z], D), see ``affine_consistency.warp``
    "weak_label": lambda heads, views: torch.cat([views["weak_label"], warp(views["weak_label"], views["grid"])]),
    "weak_label_weight": lambda heads, views: torch.cat(
        [torch.ones_like(views["weak_label"]), in_bounds_mask(views["grid"])]
    ),
}
FOREGROUND = "foreground"  # logit of all foreground clusters together, (2B, 1, ...); needs an assignment


class WeightedTerm(nn.Module):
    """One term of ``LabelFreeLoss``: a loss, its inputs and its weight.

    Args:
        loss: called with the inputs in the order of ``inputs``.
        inputs: names of parts of the heads and the views: "main", "first", "second", "first_detached",
            "first_auxiliary", "second_auxiliary", "image", "grid", "weak_label", "weak_label_weight", "foreground".
        weight: factor of the loss in the sum; a term of weight 0 is not computed.

    Raises:
        ValueError: for an unknown input or a negative weight.

    Example:
        >>> from s3net_monai.losses import SelfClusteringLoss
        >>> WeightedTerm(SelfClusteringLoss(), ["main"], weight=0.3).weight
        0.3
    """

    def __init__(self, loss: nn.Module, inputs: Sequence[str], weight: float = 1.0) -> None:
        super().__init__()
        unknown = [name for name in inputs if name not in _INPUTS and name != FOREGROUND]
        if unknown:
            raise ValueError(f"input {unknown[0]!r} is not known, expected {', '.join([*_INPUTS, FOREGROUND])}")
        if weight < 0:
            raise ValueError(f"weight is {weight}, expected at least 0; set it in the term's config")
        self.loss, self.inputs, self.weight = loss, tuple(inputs), weight

    def forward(self, heads: Heads, views: Views, assignment_matrix: Callable[[], Tensor] | None) -> Tensor:
        """Return the unweighted loss of one batch.

        Args:
            heads: see ``LabelFreeLoss.forward``.
            views: its target.
            assignment_matrix: see ``LabelFreeLoss``.
        """
        arguments = [
            _foreground(heads.main, assignment_matrix) if name == FOREGROUND else _INPUTS[name](heads, views)
            for name in self.inputs
        ]
        value: Tensor = self.loss(*arguments)
        return value


class LabelFreeLoss(_Loss):
    """Weighted sum of terms over two views of a batch, as ``engines.TwoViews`` makes them.

    A new term is one entry of ``terms`` in a config; ``--loss#terms#NAME#weight VALUE`` changes a weight.

    Args:
        terms: the terms by name.
        assignment_matrix: returns the one-hot assignment of clusters to classes, (K, classes); only terms that are
            computed from "foreground" need it.

    Raises:
        ValueError: when all weights are 0, when a term needs the assignment and there is none, and, in ``forward``,
            when a term needs a weak label and the batch has none.

    Example:
        >>> from s3net_monai.losses import AffineConsistencyLoss, SelfClusteringLoss
        >>> loss = LabelFreeLoss({
        ...     "self_clustering": WeightedTerm(SelfClusteringLoss(), ["main"], weight=0.3),
        ...     "affine": WeightedTerm(AffineConsistencyLoss(), ["first", "second", "grid"]),
        ... })
        >>> heads = torch.zeros(2, 4, 8, 8), torch.zeros(2, 4, 8, 8)
        >>> grid = torch.nn.functional.affine_grid(torch.eye(2, 3)[None], [1, 1, 8, 8], align_corners=False)
        >>> loss(heads, {"image": torch.rand(2, 1, 8, 8), "grid": grid}).shape
        torch.Size([])
    """

    def __init__(
        self, terms: Mapping[str, WeightedTerm], assignment_matrix: Callable[[], Tensor] | None = None
    ) -> None:
        super().__init__()
        self.assignment_matrix = assignment_matrix
        self.terms = {name: term for name, term in terms.items() if term.weight > 0}
        self.modules_of_terms = nn.ModuleList(self.terms.values())  # so that ``.to(device)`` reaches them
        if not self.terms:
            raise ValueError(
                f"terms {', '.join(terms) or 'none'}: expected a weight above 0; set it in the loss's config"
            )
        for name, term in self.terms.items():
            if FOREGROUND in term.inputs and assignment_matrix is None:
                raise ValueError(f"term {name} needs assignment_matrix, found None; give it or set its weight to 0")

    def values(self, heads: tuple[Tensor, Tensor], views: Views) -> dict[str, Tensor]:
        """Return the unweighted terms with a weight above 0; arguments as for ``forward``."""
        main, auxiliary = (head.float() for head in heads)
        logits = Heads(main, auxiliary, *main.chunk(2))
        return {name: term(logits, views, self.assignment_matrix) for name, term in self.terms.items()}

    def forward(self, input: tuple[Tensor, Tensor], target: dict[str, Tensor]) -> Tensor:
        """Return the loss of one batch.

        Args:
            input: main and auxiliary cluster logits (2B, K, X, Y[, Z]), first of the B originals, then of the B
                transformed images.
            target: "image" (2B, C, X, Y[, Z]) of both views, "grid" (B, X, Y[, Z], D) of the transformation, and,
                when a term needs it, "weak_label" (B, 1, X, Y[, Z]) of the originals.
        """
        for name, term in self.terms.items():
            if "weak_label" in term.inputs and "weak_label" not in target:
                raise ValueError(
                    f"term {name} needs 'weak_label', which the batch lacks; add WeakLabeld to the transforms"
                )
        values = self.values(input, target)
        return torch.stack([self.terms[name].weight * value for name, value in values.items()]).sum()


def _foreground(main: Tensor, assignment_matrix: Callable[[], Tensor] | None) -> Tensor:
    assert assignment_matrix is not None, "LabelFreeLoss refuses such terms"
    foreground = assignment_matrix()[:, 1:].sum(dim=1) > 0
    logit = torch.logsumexp(main[:, foreground], dim=1) - torch.logsumexp(main[:, ~foreground], dim=1)
    return logit.unsqueeze(1)
