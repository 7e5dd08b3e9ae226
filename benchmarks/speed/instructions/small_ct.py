"""The input of two of the counted scripts: a chest CT of 48 x 48 x 12 in DICOM, and its bundle."""

from __future__ import annotations

from pathlib import Path

import torch

from data_prep.phantom import write_lung_phantom
from s3net_monai.inference import Bundle, bundle_root, load_bundle
from s3net_monai.inference.discovery.cases import Case

_SHAPE = (48, 48, 12)


def small_ct(folder: Path) -> tuple[Case, Bundle]:
    """Write the CT and return its case and the bundle of the lung; torch then uses one thread."""
    torch.set_num_threads(1)
    series, _ = write_lung_phantom(folder, "case", _SHAPE, dicom=True)
    case = Case(case_id="case", input=series, image=tuple(sorted(series.iterdir())), kind="dicom_series")
    return case, load_bundle("lung", bundle_root("lung"), torch.device("cpu"))
