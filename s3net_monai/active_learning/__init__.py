"""Which image to label next: told from images and from how consistent their masks are, never from a label."""

from s3net_monai.active_learning.candidate_scores import Measured, encoder_of, features_of, measure_case
from s3net_monai.active_learning.selection import FIRST_ROUND, MAX_CANDIDATES, covering, next_images
from s3net_monai.active_learning.served_masks import add_served_masks

__all__ = [
    "FIRST_ROUND",
    "MAX_CANDIDATES",
    "Measured",
    "add_served_masks",
    "covering",
    "encoder_of",
    "features_of",
    "measure_case",
    "next_images",
]
