"""Reading and writing alone: ``floor_ct.py RESULT.json SERIES``, without a network, a check or a report.

SimpleITK reads the DICOM series, and the product's writers write a box of its size as NIfTI and DICOM SEG.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK
from timing import write_result

from s3net_monai.io.mask import Mask
from s3net_monai.io.writers import write_mask
from s3net_monai.tasks import get_task


def main(result: str, series: str) -> None:
    """Read, write, and write the seconds of both."""
    started = time.perf_counter()
    reader = SimpleITK.ImageSeriesReader()
    files = reader.GetGDCMSeriesFileNames(series)
    reader.SetFileNames(files)
    image = reader.Execute()
    read = time.perf_counter() - started
    array = np.zeros(image.GetSize(), np.uint8)
    array[tuple(slice(length // 4, 3 * length // 4) for length in array.shape)] = 1
    mask = Mask(
        array=array,
        affine=_affine(image),
        source=tuple(Path(file) for file in files),
        labels=get_task("lung").labels,
        model_name="none",
        model_version="0",
    )
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("nifti", "dicomseg"):
            write_mask(mask, Path(folder), case_id="case", format_name=name)
    write_result(result, {"phases": {"read": read, "write": time.perf_counter() - started}})


def _affine(image: SimpleITK.Image) -> np.ndarray:
    """Return the affine (4, 4) in RAS+ mm of an image in LPS+."""
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    lps_to_ras: np.ndarray = np.diag([-1.0, -1.0, 1.0, 1.0])
    return lps_to_ras @ affine


if __name__ == "__main__":
    main(*sys.argv[1:])
