"""Tests of the file names of masks whose images have the same file name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import SaveImage

from s3net_monai.transforms import SetFilenameFromCaseIdd


def mask(path: str = "/data/p01/image.nii.gz") -> MetaTensor:
    return MetaTensor(torch.ones(1, 3, 4, 5), meta={"filename_or_obj": path})


@pytest.mark.parametrize(
    ("case_id", "expected"),
    [
        ("p01_ed", "p01_ed_seg.nii.gz"),
        ("1.2.840", "1.2.840_seg.nii.gz"),
        ("ward 3/p01", "ward_3_p01_seg.nii.gz"),
        ("../../p01", ".._.._p01_seg.nii.gz"),
        ("p01.nii", "p01.nii_seg.nii.gz"),
    ],
)
def test_the_file_is_named_after_the_case(tmp_path: Path, case_id: str, expected: str) -> None:
    sample = SetFilenameFromCaseIdd("pred")({"pred": mask(), "case_id": case_id})
    SaveImage(output_dir=tmp_path, output_postfix="seg", separate_folder=False, print_log=False)(sample["pred"])
    assert [path.name for path in tmp_path.iterdir()] == [expected]


def test_without_an_identifier_the_file_name_stays() -> None:
    sample = SetFilenameFromCaseIdd("pred")({"pred": mask()})
    assert sample["pred"].meta["filename_or_obj"] == "/data/p01/image.nii.gz"
