"""DICOM SEG of a small mask on a CT series, for the tests of its writer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from s3net_monai.io import Mask, write_mask
from s3net_monai.io.dicom.series import load_series
from s3net_monai.tasks import TASKS

Maker = Callable[..., Any]
TYPES = ["dicomseg", "dicomseg-labelmap"]


def write(array: np.ndarray, source: Path, folder: Path, format_name: str = "dicomseg", **fields: Any) -> Path:
    series = load_series([source], fields.get("allow", ()))
    mask = Mask(
        array=array,
        affine=series.affine,
        source=(source,),
        labels=TASKS["lung"].labels,
        model_name="toy",
        model_version="1.2.3",
        **fields,
    )
    return write_mask(mask, folder, case_id="case", format_name=format_name)
