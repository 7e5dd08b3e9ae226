"""Which cases are reported on, and on which grid their truth lies."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from benchmarks.common.cases import lung_cases, skin_cases

# LAS and anisotropic: not canonical, so that any change of axes would show
GRID = np.diag([-2.5, 3.0, 5.0, 1.0])


def save_image(folder: Path, name: str, ending: str) -> None:
    for part, suffix in (("images", ending), ("masks", "png")):
        (folder / part).mkdir(parents=True, exist_ok=True)
        pixels = np.zeros((6, 8), dtype=np.uint8)  # rows, columns
        pixels[1, 5] = 255
        Image.fromarray(pixels).save(folder / part / f"{name}.{suffix}")


def save_volumes(folder: Path, label_grid: np.ndarray = GRID) -> None:
    folder.mkdir(parents=True)
    label = np.zeros((4, 5, 6), dtype=np.uint8)
    label[3, 1, 0] = 1
    for name in ("id001", "id002", "id003"):
        nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), GRID), folder / f"{name}_ct.nii.gz")
        nibabel.save(nibabel.Nifti1Image(label, label_grid), folder / f"{name}_lung.nii.gz")


def test_grid_and_spacing_are_in_mm_and_of_one_volume(tmp_path: Path) -> None:
    save_image(tmp_path / "lung" / "slices512", "17", "png")
    folder = tmp_path / "lung" / "volumes"
    save_volumes(folder)
    in_meters = nibabel.Nifti1Image(np.zeros((4, 5, 6, 1), np.int16), np.diag([-0.0025, 0.003, 0.005, 1.0]))
    in_meters.header.set_xyzt_units("meter")
    nibabel.save(in_meters, folder / "id003_ct.nii.gz")
    (case,) = [case for case in lung_cases(tmp_path) if case.case_id == "id003"]
    assert case.spacing == pytest.approx((2.5, 3.0, 5.0))
    assert np.argwhere(case.truth).tolist() == [[3, 1, 0]]


def test_ph2_reports_on_numbers_divisible_by_four(tmp_path: Path) -> None:
    for number in (3, 4, 10, 16, 100):
        save_image(tmp_path / "skin" / "ph2", f"IMD{number:03d}", "jpg")
    save_image(tmp_path / "skin" / "isic2018" / "val", "ISIC_0000007", "jpg")
    cases = skin_cases(tmp_path)
    assert [(case.split, case.case_id) for case in cases] == [
        ("PH2", "IMD004"),
        ("PH2", "IMD016"),
        ("PH2", "IMD100"),
        ("ISIC 2018 val", "ISIC_0000007"),
    ]
    assert cases[0].truth.shape == (8, 6)  # x first
    assert np.argwhere(cases[0].truth).tolist() == [[5, 1]]
    assert (cases[0].spacing, cases[0].unit) == ((1.0, 1.0), "px")


def test_volumes_keep_the_grid_of_their_file(tmp_path: Path) -> None:
    save_image(tmp_path / "lung" / "slices512", "17", "png")
    save_volumes(tmp_path / "lung" / "volumes")
    slice_case, *volumes = lung_cases(tmp_path)
    assert slice_case.split == "LungSegDB"
    assert {case.case_id: case.split for case in volumes} == {
        "id003": "volume id003",
        "id001": "volumes id001-002",
        "id002": "volumes id001-002",
    }
    assert np.argwhere(volumes[0].truth).tolist() == [[3, 1, 0]]
    assert (volumes[0].spacing, volumes[0].unit) == ((2.5, 3.0, 5.0), "mm")


def test_a_mask_on_another_grid_is_refused(tmp_path: Path) -> None:
    save_image(tmp_path / "lung" / "slices512", "17", "png")
    save_volumes(tmp_path / "lung" / "volumes", label_grid=np.diag([2.5, 3.0, 5.0, 1.0]))
    with pytest.raises(ValueError, match=r"id003_lung.nii.gz: lies .* mm off id003_ct.nii.gz"):
        lung_cases(tmp_path)


def test_missing_data_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ph2/images: no such folder; --data"):
        skin_cases(tmp_path)
    save_image(tmp_path / "skin" / "ph2", "IMD004", "jpg")
    save_image(tmp_path / "skin" / "isic2018" / "val", "ISIC_1", "jpg")
    (tmp_path / "skin" / "ph2" / "masks" / "IMD004.png").unlink()
    with pytest.raises(ValueError, match=r"IMD004.png: no such file"):
        skin_cases(tmp_path)


def test_real_report_splits(real_data: Path) -> None:
    cases = skin_cases(real_data)
    counts = {split: sum(case.split == split for case in cases) for split in ("PH2", "ISIC 2018 val")}
    assert counts["ISIC 2018 val"] == 400
    assert counts["PH2"] == sum(int(path.stem[3:]) % 4 == 0 for path in (real_data / "skin/ph2/images").iterdir())
    assert all(case.truth.any() for case in cases)
