"""CURVAS slices: splits by case, one rater a slice, labels where there are some."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.prepare import prepare
from s3net_monai.data.datalist import load_datalist
from s3net_monai.data.few_labels import few_labels


def write(source: Path, names: list[str], labels: bool = True) -> None:
    random = np.random.default_rng(0)
    for part in ("images", "labels") if labels else ("images",):
        (source / part).mkdir(parents=True, exist_ok=True)
        for name in names:
            Image.fromarray(random.integers(0, 4, (8, 6), np.uint8)).save(source / part / f"{name}.png")


def test_splits_are_by_case(tmp_path: Path) -> None:
    write(tmp_path / "curvas", ["10001_7_r1", "10001_12_r3", "10006_3_r2", "10007_9_r1", "10003_9_r2"])
    prepare("curvas", tmp_path / "curvas", tmp_path / "out")
    tested = load_datalist(tmp_path / "out", "test", labels=True)
    assert [case["case_id"] for case in tested] == ["10006_3_r2", "10007_9_r1"]
    assert all(Path(case["label"]).parts[-2:] == ("labels", Path(case["image"]).name) for case in tested)
    others = [case["case_id"] for part in ("training", "validation") for case in load_datalist(tmp_path / "out", part)]
    assert sorted(others) == ["10001_12_r3", "10001_7_r1", "10003_9_r2"]


def test_of_several_raters_the_first_is_taken(tmp_path: Path) -> None:
    write(tmp_path / "curvas", ["10001_7_r3", "10001_7_r2", "10001_70_r3"])
    prepare("curvas", tmp_path / "curvas", tmp_path / "out")
    found = load_datalist(tmp_path / "out", "all")
    assert [case["case_id"] for case in found] == ["10001_70_r3", "10001_7_r2"]


def test_images_alone_have_no_label(tmp_path: Path) -> None:
    write(tmp_path / "curvas", ["10001_7_r1"], labels=False)
    prepare("curvas", tmp_path / "curvas", tmp_path / "out")
    assert "label" not in load_datalist(tmp_path / "out", "all", labels=True)[0]


def test_other_names_are_no_slices(tmp_path: Path) -> None:
    write(tmp_path / "curvas", ["10001_7", "slice_r1"])
    with pytest.raises(ValueError, match=r"looked for images/<case>_<slice>_r<rater>.png"):
        prepare("curvas", tmp_path / "curvas", tmp_path / "out")


def test_real_slices_have_one_rater_and_five_cases_for_training(real_data: Path, tmp_path: Path) -> None:
    if not (real_data / "abdomen" / "curvas").is_dir():
        pytest.skip("no CURVAS slices in the real data")
    prepare("curvas", real_data / "abdomen" / "curvas", tmp_path)
    assert len(load_datalist(tmp_path, "all")) == 58
    patients = {case["case_id"][:5] for case in few_labels(tmp_path)["test"]}
    assert patients == {"10006", "10007"}
