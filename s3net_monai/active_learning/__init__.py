"""Which image to label next: told from images and from how consistent their masks are, never from a label."""

from s3net_monai.active_learning.measure import Measured, encoder_of, features_of, measure_case
from s3net_monai.active_learning.selection import AMONG, FIRST_ROUND, covering, next_images
from s3net_monai.active_learning.served_masks import add_served_masks

__all__ = [
    "AMONG",
    "FIRST_ROUND",
    "Measured",
    "add_served_masks",
    "covering",
    "encoder_of",
    "features_of",
    "measure_case",
    "next_images",
]
