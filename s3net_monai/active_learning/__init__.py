"""Active learning: which image to label next, from images and the consistency of their masks, without labels."""

from s3net_monai.active_learning.bundle_pseudo_labels import add_bundle_pseudo_labels
from s3net_monai.active_learning.candidate_scores import CandidateScore, find_encoder, image_features, score_candidate
from s3net_monai.active_learning.selection import FIRST_ROUND, MAX_CANDIDATES, select_images, select_medoids

__all__ = [
    "FIRST_ROUND",
    "MAX_CANDIDATES",
    "CandidateScore",
    "add_bundle_pseudo_labels",
    "find_encoder",
    "image_features",
    "score_candidate",
    "select_images",
    "select_medoids",
]
