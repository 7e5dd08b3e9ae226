"""Region contrast: pixels of a super-pixel attract across views and repel others."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.loss import _Loss

from s3net_monai.losses.region_sampling import resize_regions, sample_pixels, sample_shared_regions, touching


class RegionContrastiveLoss(_Loss):
    """Contrastive sampling loss over super-pixels (LRC, arXiv 2304.03406).

    The method adds it to a global contrast. From every image, first regions are sampled from those that both views
    show, then pixels of each: A_r in the first view, B_r in the second. N_r are the B_s of the image's other sampled
    regions s::

        mean over r of mean over i in A_r, j in B_r of
            -log( exp(z_i.z_j / t) / ( exp(z_i.z_j / t) + sum over n in N_r of exp(z_i.z_n / t) ) )

    with cosine similarity. Regions are sampled first so that a large one does not crowd out small ones. Features
    without any information cost ``log(1 + |N_r|)``. A region without negatives is left out of the mean; if all regions
    are, the loss is 0. The paper does not give its numbers; all of them are settings here.

    Neighboring super-pixels are often parts of one organ and would be false negatives. By default, regions that touch
    in the region map of either view are not each other's negatives, which depends on the image alone. A limit on the
    similarity of the regions' mean features also reaches parts of one organ that are apart, but is off by default:
    features are all alike in the first iterations, whatever they show, so a limit has to suit the state of training.
    Where the limit would leave a region without any negative, it is not applied to that region; otherwise collapsed
    features would cost nothing.

    Time and memory grow with (``regions`` * ``samples``)**2 per image, not with the size of the feature maps squared.

    Args:
        temperature: t above.
        regions: maximum number of regions sampled per image.
        samples: pixels sampled per region in each view, with replacement.
        exclude_touching: exclude regions that touch from each other's negatives.
        max_similarity: exclude regions from each other's negatives when the cosine of the means of their sampled
            features is above this; None for no limit.

    Raises:
        ValueError: when a setting is out of range, and, in ``forward``, when shapes do not match.

    Example:
        >>> first, second = torch.randn(1, 16, 8, 8), torch.randn(1, 16, 8, 8)
        >>> regions = torch.arange(1, 5).reshape(1, 1, 2, 2).repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
        >>> loss = RegionContrastiveLoss(samples=4, exclude_touching=False)
        >>> loss(first, second, regions=regions, target_regions=regions).shape
        torch.Size([])
    """

    def __init__(
        self,
        temperature: float = 0.1,
        *,
        regions: int = 16,
        samples: int = 8,
        exclude_touching: bool = True,
        max_similarity: float | None = None,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"temperature is {temperature}, expected a positive number")
        if regions < 2 or samples < 1:
            raise ValueError(f"regions is {regions} and samples {samples}, expected at least 2 and 1")
        if max_similarity is not None and not -1 <= max_similarity <= 1:
            raise ValueError(f"max_similarity is {max_similarity}, expected a cosine from -1 to 1, or None")
        self.temperature, self.regions, self.samples = temperature, regions, samples
        self.exclude_touching, self.max_similarity = exclude_touching, max_similarity

    def forward(self, input: Tensor, target: Tensor, *, regions: Tensor, target_regions: Tensor) -> Tensor:
        """Return the loss of one batch, computed in float32.

        Random numbers come from torch's global generator.

        Args:
            input: features of the first view, (B, D, X, Y[, Z]); the anchors.
            target: features of the second view, (B, D, X', Y'[, Z']).
            regions: region map of the first view, (B, 1, any spatial size), whole numbers; 0 is no region.
            target_regions: region map of the second view with the same numbers for the same regions.
        """
        if not len(input) == len(target) == len(regions) == len(target_regions) or input.shape[1] != target.shape[1]:
            raise ValueError(
                f"features {tuple(input.shape)} and {tuple(target.shape)}, region maps {tuple(regions.shape)} and "
                f"{tuple(target_regions.shape)} do not match"
            )
        small, target_small = resize_regions(regions, input.shape[2:]), resize_regions(target_regions, target.shape[2:])
        regions, target_regions = regions.long(), target_regions.long()
        terms = []
        # unbind, because the gradient of input[b] would be as large as the batch, for every image
        for b, (first, second) in enumerate(zip(input.unbind(), target.unbind(), strict=True)):
            ids = sample_shared_regions(small[b, 0], target_small[b, 0], self.regions)
            anchors = first.flatten(1).T[sample_pixels(small[b, 0], ids, self.samples)]
            keys = second.flatten(1).T[sample_pixels(target_small[b, 0], ids, self.samples)]
            negative = ~torch.eye(len(ids), dtype=torch.bool, device=ids.device)
            if self.exclude_touching:
                negative &= ~(touching(regions[b, 0], ids) | touching(target_regions[b, 0], ids))
            terms.append(self.contrast(anchors, keys, negative))
        per_region = torch.cat(terms)
        return per_region.mean() if len(per_region) > 0 else input[:0].float().sum()  # 0, with a graph

    def contrast(self, anchors: Tensor, keys: Tensor, negative: Tensor) -> Tensor:
        """Return the loss of every region that has a negative, (at most R,).

        Args:
            anchors: features A of every region, (R, K, D).
            keys: features B of every region, (R, K, D).
            negative: which regions are negatives of which, (R, R) boolean.
        """
        anchors, keys = F.normalize(anchors.float(), dim=2), F.normalize(keys.float(), dim=2)
        with torch.autocast(anchors.device.type, enabled=False):
            if self.max_similarity is not None:
                mean = F.normalize(torch.cat([anchors, keys], dim=1).detach().mean(dim=1), dim=1)
                dissimilar = negative & (mean @ mean.T <= self.max_similarity)
                negative = torch.where(dissimilar.any(dim=1, keepdim=True), dissimilar, negative)
            has_negative = negative.any(dim=1)
            positives = anchors @ keys.transpose(1, 2) / self.temperature
            similarity = torch.einsum("rkd,snd->rksn", anchors[has_negative], keys) / self.temperature
        excluded = ~negative[has_negative][:, None, :, None]
        negatives = similarity.masked_fill(excluded, -torch.inf).flatten(2).logsumexp(dim=2, keepdim=True)
        return F.softplus(negatives - positives[has_negative]).mean(dim=(1, 2))
