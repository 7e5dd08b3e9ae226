"""Cases that cannot be read are all named before a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from monai.transforms import Compose, Lambdad, LoadImaged, RandFlipd
from PIL import Image

from s3net_monai.data.readable import ReadableCacheDataset
from s3net_monai.data.slices import extract_slices
from s3net_monai.io import Image2DReader, NiftiReader, RefuseOthersReader, upright_rgb
from s3net_monai.utils.errors import CaseError, DataError


@pytest.fixture
def cases(tmp_path: Path) -> list[dict[str, Any]]:
    """One sound picture and volume, and three damaged files: garbage, a picture and a volume that are cut off."""
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "sound.png")
    voxels = np.random.default_rng(0).random((8, 8, 8), np.float32)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / "whole.nii.gz")
    (tmp_path / "garbage.png").write_bytes(b"garbage")
    for whole, cut in (("sound.png", "cut.png"), ("whole.nii.gz", "cut.nii.gz")):
        content = (tmp_path / whole).read_bytes()
        (tmp_path / cut).write_bytes(content[: len(content) // 2])
    return [{"case_id": path.name, "image": str(path)} for path in sorted(tmp_path.iterdir())]


READ = Compose(
    [LoadImaged("image", reader=[RefuseOthersReader("a picture"), Image2DReader(upright_rgb), NiftiReader()])]
)
DAMAGED = ["cut.nii.gz", "cut.png", "garbage.png"]


def refused(error: DataError, total: int) -> list[str]:
    heading, *lines = str(error).splitlines()
    assert heading.startswith(f"{len(lines)} of {total} cases cannot be used")
    assert "Traceback" not in str(error)
    return [line.partition(":")[0] for line in lines]


@pytest.mark.parametrize("cache_rate", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("threads", [1, 3])
def test_all_are_named_within_the_cache_and_outside(
    cases: list[dict[str, Any]], cache_rate: float, threads: int
) -> None:
    with pytest.raises(DataError) as refusal:
        ReadableCacheDataset(
            cases, Compose([*READ.transforms, RandFlipd("image")]), cache_rate=cache_rate, num_workers=threads
        )
    assert refused(refusal.value, total=5) == DAMAGED


def test_slices_name_all_as_well(cases: list[dict[str, Any]]) -> None:
    with pytest.raises(DataError) as refusal:
        extract_slices([case for case in cases if case["case_id"] in DAMAGED], READ, keys=["image"])
    assert refused(refusal.value, total=3) == DAMAGED


def test_a_reason_is_that_of_the_reader_for_this_kind_of_file(cases: list[dict[str, Any]]) -> None:
    with pytest.raises(DataError) as refusal:
        ReadableCacheDataset(cases, READ)
    *_, volume, picture, garbage = str(refusal.value).splitlines()
    assert volume.startswith("cut.nii.gz: damaged or cut off")
    assert picture.startswith("cut.png: damaged or cut off")
    assert garbage == (
        "garbage.png: not readable as a 2-D image (cannot identify image file 'garbage.png'); copy it again"
    )


def test_a_case_that_no_reader_takes(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_bytes(b"garbage")
    for readers in (["PILReader"], [RefuseOthersReader("a picture")]):
        with pytest.raises(DataError, match=r"\na: a\.xyz.*: no reader takes it[^\n]*$"):
            ReadableCacheDataset(
                [{"case_id": "a", "image": str(tmp_path / "a.xyz")}], Compose([LoadImaged("image", reader=readers)])
            )


def test_an_error_of_a_later_step_is_the_reason_too(cases: list[dict[str, Any]]) -> None:
    def check(image: Any) -> Any:
        raise CaseError("sound.png: four classes found, three expected")

    with pytest.raises(DataError, match=r"\nsound\.png: four classes found, three expected$"):
        ReadableCacheDataset(
            [case for case in cases if case["case_id"] == "sound.png"],
            Compose([*READ.transforms, Lambdad("image", check)]),
        )


def test_sound_cases_are_cached_as_by_monai(cases: list[dict[str, Any]]) -> None:
    (sound,) = (case for case in cases if case["case_id"] == "sound.png")
    data = ReadableCacheDataset([sound, sound], READ, hash_as_key=True)
    assert len(data) == 2
    assert data[1]["image"].shape == (3, 64, 64)
