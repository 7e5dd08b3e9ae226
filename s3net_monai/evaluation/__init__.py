"""Evaluation of masks against ground truth."""

from s3net_monai.evaluation.evaluate_folders import Evaluation, evaluate, format_table
from s3net_monai.evaluation.metrics import label_metrics, mask_metrics

__all__ = ["Evaluation", "evaluate", "format_table", "label_metrics", "mask_metrics"]
