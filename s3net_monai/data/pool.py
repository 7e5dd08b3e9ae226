"""Pooling of several data sets into one list of cases, for training on all of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from s3net_monai.data.datalist import load_datalist
from s3net_monai.utils.errors import DataError


def pool_datalists(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], section: str, *, equal: bool = False
) -> list[dict[str, Any]]:
    """Load the cases of a section, without labels, from one or several data folders.

    Args:
        sources: as ``load_datalist`` takes them.
        section: as ``load_datalist`` takes it.
        equal: whether to repeat the cases of smaller sources, so that an epoch holds about as many of each source:
            three CT volumes then weigh as much as two hundred single slices.

    Raises:
        DataError: as ``load_datalist``, and without any source.
    """
    folders = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    if not folders:
        raise DataError("no data folder given, expected one or several; set dataset_dir")
    lists = [load_datalist(folder, section) for folder in folders]
    largest = max((len(cases) for cases in lists), default=0)
    pooled: list[dict[str, Any]] = []
    for cases in lists:
        repeats = round(largest / len(cases)) if equal and cases else 1
        pooled += cases * repeats
    return pooled
