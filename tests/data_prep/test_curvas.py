"""CURVAS slices: splits by case, one rater per slice, labels where there are any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.prepare import prepare
from s3net_monai.data.datalist import load_datalist
from s3net_monai.data.labeled_split import split_labeled_patients


def write(source: Path, names: list[str], labels: bool = True) -> None:
    random = np.random.default_rng(0)
    for part in ("images", "labels") if labels else ("images",):
        (source / part).mkdir(parents=True, exist_ok=True)
        for name in names:
            Image.fromarray(random.integers(0, 4, (8, 6), np.uint8)).save(source / part / f"{name}.png")


def test_splits_are_by_case(tmp_path: Path) -> None:
    write(tmp_path / "curvas", ["10001_7_r1", "10001_12_r3", "10006_3_r2", "10007_9_r1", "10003_9_r2"])
    prepare("curvas", tmp_path / "curvas", tmp_path / "out")
    test_cases = load_datalist(tmp_path / "out", "test", labels=True)
    assert [case["case_id"] for case in test_cases] == ["10006_3_r2", "10007_9_r1"]
    assert all(Path(case["label"]).parts[-2:] == ("labels", Path(case["image"]).name) for case in test_cases)
    other_cases = [
        case["case_id"] for part in ("training", "validation") for case in load_datalist(tmp_path / "out", part)
    ]
    assert sorted(other_cases) == ["10001_12_r3", "10001_7_r1", "10003_9_r2"]


def test_first_of_several_raters_is_used(tmp_path: Path) -> None:
    write(tmp_path / "curvas", ["10001_7_r3", "10001_7_r2", "10001_70_r3"])
    prepare("curvas", tmp_path / "curvas", tmp_path / "out")
    cases = load_datalist(tmp_path / "out", "all")
    assert [case["case_id"] for case in cases] == ["10001_70_r3", "10001_7_r2"]


def test_images_without_labels_folder_are_unlabeled(tmp_path: Path) -> None:
    write(tmp_path / "curvas", ["10001_7_r1"], labels=False)
    prepare("curvas", tmp_path / "curvas", tmp_path / "out")
    assert "label" not in load_datalist(tmp_path / "out", "all", labels=True)[0]


def test_other_names_are_not_slices(tmp_path: Path) -> None:
    write(tmp_path / "curvas", ["10001_7", "slice_r1"])
    with pytest.raises(ValueError, match=r"looked for images/<case>_<slice>_r<rater>.png"):
        prepare("curvas", tmp_path / "curvas", tmp_path / "out")


def test_real_slices(real_data: Path, tmp_path: Path) -> None:
    if not (real_data / "abdomen" / "curvas").is_dir():
        pytest.skip("no CURVAS slices in the real data")
    prepare("curvas", real_data / "abdomen" / "curvas", tmp_path)
    assert len(load_datalist(tmp_path, "all")) == 58
    patients = {case["case_id"][:5] for case in split_labeled_patients(tmp_path)["test"]}
    assert patients == {"10006", "10007"}
