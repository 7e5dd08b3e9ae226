"""Lists of cases that trainings ask for: with labels, without them, and for validation."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from s3net_monai.data.datalist import UNLABELED, load_datalist
from s3net_monai.data.labeled_split import drop_labels
from s3net_monai.data.pool import pool_datalists
from s3net_monai.utils.errors import DataError
from s3net_monai.utils.printing import get_logger

logger = get_logger(__name__)

Cases = list[dict[str, Any]]


def labeled_cases(source: str | os.PathLike[str], section: str = "training") -> Cases:
    """Return the cases of a section that have a label; a warning counts the others.

    Args:
        source: as ``load_datalist`` takes it.
        section: as ``load_datalist`` takes it.

    Raises:
        DataError: as ``load_datalist``, and if no case has a label.
    """
    cases = load_datalist(source, section, labels=True)
    labeled = [case for case in cases if "label" in case]
    if not labeled:
        raise DataError(
            f"{source}: none of the {len(cases)} cases of section {section} has a label, at least one expected; choose "
            "another section, or add labels"
        )
    if len(labeled) < len(cases):
        logger.warning("%s: %d of %d cases have no label", source, len(cases) - len(labeled), len(cases))
    return labeled


def unlabeled_images(cases: Mapping[str, Cases]) -> Cases:
    """Return all images that a training may look at, labeled or not, without their labels.

    Args:
        cases: sections as ``split_labeled_patients`` gives them; "training" and "unlabeled" are used, in this order.

    Example:
        >>> unlabeled_images({"training": [{"image": "a", "label": "b"}], "unlabeled": [{"image": "c"}], "test": []})
        [{'image': 'a'}, {'image': 'c'}]
    """
    return drop_labels([*cases["training"], *cases[UNLABELED]])


def pool_validation(sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> Cases:
    """Return the unlabeled validation cases of some data folders, or, where there are none, the training ones.

    Small data sets have no validation section. Raises as ``pool_datalists`` does.
    """
    return pool_datalists(sources, "validation") or pool_datalists(sources, "training")
