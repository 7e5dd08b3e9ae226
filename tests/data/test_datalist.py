"""Datalists can be written, read, moved, and replaced by a plain folder."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from s3net_monai.data.datalist import DatalistCase, load_datalist, load_sections, write_datalist
from s3net_monai.utils.errors import DataError


@pytest.fixture
def folder(tmp_path):
    base = tmp_path / "set"
    cases = [
        DatalistCase(
            case_id="b", patient="b", split="training", image=base / "images" / "b.png", label=base / "labels" / "b.png"
        ),
        DatalistCase(case_id="a", patient="a", split="training", image=tmp_path / "elsewhere" / "a.png"),
        DatalistCase(case_id="c", patient="c", split="test", image=[base / "c" / "1", base / "c" / "2"]),
    ]
    write_datalist(base, name="name", description="description", modality="CT", cases=cases)
    for case in cases:
        for file in [*(case.image if isinstance(case.image, list) else [case.image]), *filter(None, [case.label])]:
            touch(file)
    return base


def touch(path, content=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_written_file(folder, tmp_path):
    content = json.loads((folder / "datalist.json").read_text())
    assert content["modality"] == "CT"
    assert content["validation"] == []
    assert content["training"] == [
        {"case_id": "a", "image": str(tmp_path / "elsewhere" / "a.png")},
        {"case_id": "b", "image": "images/b.png", "label": "labels/b.png"},
    ]
    assert {path.name for path in folder.iterdir() if path.is_file()} == {"datalist.json"}  # no temporary file remains


def test_labels_only_on_request(folder):
    assert all("label" not in entry for entry in load_datalist(folder, "training"))
    entries = load_datalist(folder / "datalist.json", "training", labels=True)
    assert [entry.get("label") for entry in entries] == [None, str(folder / "labels" / "b.png")]


def test_moved_folder_keeps_its_relative_paths(folder, tmp_path):
    moved = folder.rename(tmp_path / "moved")
    assert load_datalist(moved, "training")[1]["image"] == str(moved / "images" / "b.png")
    assert load_datalist(moved, "test")[0]["image"] == [str(moved / "c" / "1"), str(moved / "c" / "2")]


def test_missing_files_are_refused_at_once(folder, tmp_path):
    (tmp_path / "elsewhere" / "a.png").unlink()
    (folder / "labels" / "b.png").unlink()
    with pytest.raises(DataError, match=r"datalist.json: a names .*a\.png, which does not exist; paths are relative"):
        load_datalist(folder, "training")
    with pytest.raises(DataError, match=r"a\.png, which does not exist, and 1 more are missing"):
        load_datalist(folder, "training", labels=True)
    assert load_datalist(folder, "test")
    (folder / "c" / "2").unlink()
    with pytest.raises(DataError, match=r"c names .*2, which does not exist"):
        load_datalist(folder, "test")


def test_relative_folder_gives_absolute_paths(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert load_datalist("set", "training")[1]["image"] == str(folder / "images" / "b.png")


def test_sections(folder):
    assert [entry["case_id"] for entry in load_datalist(folder, "all")] == ["a", "b", "c"]
    assert load_datalist(folder, "validation") == []
    with pytest.raises(DataError, match=r"'train'.*training, validation, test, unlabeled, all"):
        load_datalist(folder, "train")


def test_section_all_includes_unlabeled(folder):
    file = folder / "datalist.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "unlabeled": [{"case_id": "d", "image": "images/d.png"}]}))
    touch(folder / "images" / "d.png")
    assert [entry["case_id"] for entry in load_datalist(folder, "all")] == ["a", "b", "c", "d"]
    assert load_datalist(folder, "unlabeled") == [{"case_id": "d", "image": str(folder / "images" / "d.png")}]


def test_images_of_a_plain_folder_are_unlabeled(tmp_path):
    touch(tmp_path / "a.png")
    sections = load_sections(tmp_path)
    assert sections.pop("unlabeled") == [{"case_id": "a", "image": str(tmp_path / "a.png")}]
    assert sections == {"training": [], "validation": [], "test": []}


def test_empty_section_is_refused_with_counts(tmp_path):
    write_datalist(
        tmp_path,
        name="n",
        description="d",
        modality="CT",
        cases=[DatalistCase(case_id="a", patient="a", split="training", image=tmp_path / "a.png")],
    )
    with pytest.raises(
        DataError, match=r"section test is empty \(found training 1, validation 0, test 0, unlabeled 0\)"
    ):
        load_datalist(tmp_path, "test")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "none of the sections"),
        ('{"training": [{"case_id": "a"}]}', '"image"'),
        ('{"training": ["a.png"]}', "entry 1 of training is 'a.png'"),
        ('{"training": "a.png"}', "section training is no list, expected a list"),
        (
            '{"training": [], "without_labels": [{"case_id": "a", "image": "a.png"}]}',
            "'without_labels', expected one of training",
        ),
        ('{"training": [{"case_id": 7, "image": "a.png"}]}', 'the "case_id" 7, expected text'),
        ('{"training": [{"case_id": "a", "image": 7}]}', 'the "image" 7, expected a path'),
        ('{"training": [{"case_id": "a", "image": []}]}', r'the "image" \[\], expected a path'),
        ('{"training": [{"case_id": "a", "image": "a.png", "label": null}]}', 'the "label" None, expected a path'),
        (
            '{"training": [{"case_id": "a", "image": "a.png"}], "test": [{"case_id": "a", "image": "b.png"}]}',
            "entry 1 of test: case_id 'a' is already in training",
        ),
    ],
)
def test_damaged_datalist(tmp_path, text, message):
    (tmp_path / "datalist.json").write_text(text)
    with pytest.raises(DataError, match=message):
        load_datalist(tmp_path, "training")


def test_other_keys_of_a_datalist_are_ignored(folder):
    file = folder / "datalist.json"
    more = {"labels": {"0": "background"}, "numTraining": 2, "authors": ["a", "b"], "licenses": [{"name": "CC0"}]}
    file.write_text(json.dumps({**json.loads(file.read_text()), **more}))
    assert [entry["case_id"] for entry in load_datalist(folder, "training")] == ["a", "b"]


def test_plain_folder(tmp_path):
    for name in (
        "b.NII.GZ",
        "a.png",
        "sub one/a.jpeg",
        "c.bmp",
        "notes.txt",
        ".hidden.png",
        "a_seg.nii.gz",
        "a_seg.dcm",
    ):
        touch(tmp_path / name)
    touch(tmp_path / "series" / "1", b"\0" * 128 + b"DICM")
    touch(tmp_path / "series" / "2", b"\0" * 128 + b"DICM")
    images = {entry["case_id"]: entry["image"] for entry in load_datalist(tmp_path, "training")}
    assert images == {
        "a": str(tmp_path / "a.png"),
        "b": str(tmp_path / "b.NII.GZ"),
        "c": str(tmp_path / "c.bmp"),
        "series": str(tmp_path / "series"),
        "sub_one_a": str(tmp_path / "sub one" / "a.jpeg"),
    }


def test_folder_of_dicom_files_is_one_case(tmp_path):
    touch(tmp_path / "chest" / "1.dcm")
    assert load_datalist(tmp_path / "chest", "test") == [{"case_id": "chest", "image": str(tmp_path / "chest")}]


def test_masks_beside_images_are_not_images(tmp_path):
    touch(tmp_path / "images" / "a.png")
    touch(tmp_path / "masks" / "a.png")
    assert load_datalist(tmp_path, "training") == [{"case_id": "a", "image": str(tmp_path / "images" / "a.png")}]


def test_equal_names_in_two_formats_differ(tmp_path):
    touch(tmp_path / "a.jpg")
    touch(tmp_path / "a.png")
    assert [entry["case_id"] for entry in load_datalist(tmp_path, "training")] == ["a", "a_png"]


def test_empty_and_missing_folders(tmp_path):
    with pytest.raises(DataError, match=r"no image found, searched it and its subfolders for \.nii\.gz"):
        load_datalist(tmp_path, "training")
    with pytest.raises(DataError, match="no such file or folder"):
        load_datalist(tmp_path / "absent", "training")


def test_listing_2d_images_does_not_import_pydicom(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    code = (
        "import sys, data_prep.prepare; from s3net_monai.data.datalist import load_datalist; "
        f"load_datalist({str(tmp_path)!r}, 'training'); sys.exit('pydicom' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_misspelt_key_of_an_entry_is_refused(tmp_path: Path) -> None:
    content = {"training": [{"case_id": "a", "image": "a.png", "lable": "a_mask.png", "age": 40}]}
    (tmp_path / "datalist.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r'entry 1 of training has the key "lable"; did you mean "label"\?'):
        load_datalist(tmp_path, "training")


def test_a_label_of_several_cases_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    entries = [{"case_id": name, "image": f"{name}.png", "label": "a_mask.png"} for name in "ab"]
    (tmp_path / "datalist.json").write_text(json.dumps({"training": entries}))
    for name in ("a.png", "b.png", "a_mask.png"):
        (tmp_path / name).touch()
    load_datalist(tmp_path, "training", labels=True)
    assert "datalist.json: 1 labels belong to several cases each, the first is a_mask.png" in caplog.text


def test_a_datalist_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    (tmp_path / "datalist.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(DataError, match="not JSON; expected a datalist"):
        load_datalist(tmp_path, "training")
