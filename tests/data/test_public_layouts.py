"""The dataset.json of the Medical Segmentation Decathlon and of nnU-Net is read as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from s3net_monai.data.case_lists import labeled_cases
from s3net_monai.data.datalist import load_datalist
from s3net_monai.data.labeled_split import split_labeled_patients
from s3net_monai.utils.errors import DataError

HEAD = {"name": "LA", "modality": {"0": "MRI"}, "labels": {"0": "background", "1": "left atrium"}, "numTraining": 1}
V2 = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "left atrium": 1}, "numTraining": 2}


def folder(root: Path, content: dict[str, Any], *files: str, encoding: str = "utf-8") -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "dataset.json").write_text(json.dumps(content), encoding=encoding)
    return root


def relative(cases: list[dict[str, Any]], root: Path) -> list[dict[str, Any]]:
    def short(value: Any) -> Any:
        return [short(v) for v in value] if isinstance(value, list) else str(Path(value).relative_to(root))

    return [{key: value if key == "case_id" else short(value) for key, value in case.items()} for case in cases]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_decathlon(tmp_path: Path, encoding: str) -> None:
    pair = {"image": "./imagesTr/la_003.nii.gz", "label": "./labelsTr/la_003.nii.gz"}
    content = {**HEAD, "training": [pair], "test": ["./imagesTs/la_001.nii.gz"]}
    files = ("imagesTr/la_003.nii.gz", "labelsTr/la_003.nii.gz", "imagesTs/la_001.nii.gz")
    root = folder(tmp_path, content, *files, encoding=encoding)
    expected = {"case_id": "la_003", "image": files[0], "label": files[1]}
    assert relative(load_datalist(root, "training", labels=True), tmp_path) == [expected]
    assert relative(load_datalist(root / "dataset.json", "training"), tmp_path) == [
        {"case_id": "la_003", "image": files[0]}
    ]
    assert relative(load_datalist(root, "test"), tmp_path) == [{"case_id": "la_001", "image": files[2]}]


def test_nnunet_1_lists_images_without_their_channel(tmp_path: Path) -> None:
    pair = {"image": "./imagesTr/la_003.nii.gz", "label": "./labelsTr/la_003.nii.gz"}
    files = ("imagesTr/la_003_0000.nii.gz", "labelsTr/la_003.nii.gz", "imagesTs/la_001_0000.nii.gz")
    root = folder(tmp_path, {**HEAD, "training": [pair], "test": ["./imagesTs/la_001.nii.gz"]}, *files)
    expected = {"case_id": "la_003", "image": files[0], "label": files[1]}
    assert relative(labeled_cases(root), tmp_path) == [expected]
    assert relative(load_datalist(root, "test"), tmp_path) == [{"case_id": "la_001", "image": files[2]}]


def test_nnunet_2_lists_nothing(tmp_path: Path) -> None:
    files = ("imagesTr/la_003_0000.nii.gz", "labelsTr/la_003.nii.gz", "imagesTr/la_004_0000.nii.gz")
    root = folder(tmp_path, {**V2, "file_ending": ".nii.gz"}, *files, "imagesTs/la_001_0000.nii.gz", "imagesTr/x.txt")
    expected = {"case_id": "la_003", "image": files[0], "label": files[1]}
    assert relative(labeled_cases(root), tmp_path) == [expected]
    sections = split_labeled_patients(root, patient_pattern=r"la_\d+")
    assert [case["case_id"] for case in sections["unlabeled"]] == ["la_004"]
    assert [case["case_id"] for case in sections["test"]] == ["la_001"]


def test_channels_of_nnunet_come_together(tmp_path: Path) -> None:
    channels = ["imagesTr/b_0000.nii.gz", "imagesTr/b_0001.nii.gz"]
    root = folder(tmp_path, {**V2, "file_ending": ".nii.gz"}, *channels)
    assert relative(load_datalist(root, "training"), tmp_path) == [{"case_id": "b", "image": channels}]


def test_nnunet_2_with_an_entry_dataset(tmp_path: Path) -> None:
    entry = {"images": ["scans/a.nii.gz"], "label": "truth/a.nii.gz"}
    root = folder(
        tmp_path, {**V2, "file_ending": ".nii.gz", "dataset": {"a": entry}}, "scans/a.nii.gz", "truth/a.nii.gz"
    )
    expected = {"case_id": "a", "image": "scans/a.nii.gz", "label": "truth/a.nii.gz"}
    assert relative(labeled_cases(root), tmp_path) == [expected]


def test_nnunet_2_without_images_is_refused(tmp_path: Path) -> None:
    root = folder(tmp_path, {**V2, "file_ending": ".mha"}, "imagesTr/a_0000.nii.gz")
    with pytest.raises(DataError, match=r"no \*_0000\.mha in imagesTr/ or imagesTs/"):
        load_datalist(root, "training")


def test_cases_without_a_name_are_named_after_their_images(tmp_path: Path) -> None:
    content = {"training": [{"image": "x/a.nii.gz"}, {"image": "y/a.nii.gz"}, {"image": "y/b.nii.gz"}]}
    root = folder(tmp_path, content, "x/a.nii.gz", "y/a.nii.gz", "y/b.nii.gz")
    assert [case["case_id"] for case in load_datalist(root, "training")] == ["x_a", "y_a", "b"]


def test_a_datalist_comes_before_a_dataset(tmp_path: Path) -> None:
    root = folder(tmp_path, {"training": [{"image": "a.png"}]}, "a.png", "b.png")
    (root / "datalist.json").write_text('{"training": [{"case_id": "b", "image": "b.png"}]}')
    assert [case["case_id"] for case in load_datalist(root, "training")] == ["b"]
