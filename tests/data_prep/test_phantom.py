"""Folders of phantoms: layout, datalist, and refusals."""

import json

import nibabel
import numpy as np
import pytest
from PIL import Image

from data_prep.phantom import make_phantoms, write_cardiac_phantom
from data_prep.phantom_cardiac import SYSTOLE, cardiac_phantom
from data_prep.phantom_lung import lung_phantom
from data_prep.phantom_skin import skin_phantom
from data_prep.prepare import prepare
from s3net_monai.data.datalist import load_datalist
from s3net_monai.io.dicom.series import load_series

SHAPE = (24, 20, 10)


def test_lung_as_nifti(tmp_path):
    path = make_phantoms("lung", tmp_path, count=2, shape=SHAPE, seed=7)
    assert path == tmp_path / "datalist.json"
    entries = load_datalist(path, "training", labels=True)
    assert [entry["case_id"] for entry in entries] == ["lung_0007", "lung_0008"]
    image, truth, affine = lung_phantom(SHAPE, seed=8)
    written = nibabel.load(tmp_path / "images" / "lung_0008.nii.gz")
    label = nibabel.load(tmp_path / "labels" / "lung_0008.nii.gz")
    assert entries[1]["label"] == str(tmp_path / "labels" / "lung_0008.nii.gz")
    assert np.array_equal(written.dataobj, image)
    assert np.array_equal(label.dataobj, truth)
    assert np.allclose(written.affine, affine, atol=1e-4)
    assert np.array_equal(written.affine, label.affine)


def test_lung_as_dicom_is_the_same_volume(tmp_path):
    make_phantoms("lung", tmp_path, dicom=True, shape=SHAPE)
    series = load_series([tmp_path / "images" / "lung_0000"])
    label = nibabel.load(tmp_path / "labels" / "lung_0000.nii.gz")
    assert np.array_equal(series.array, lung_phantom(SHAPE)[0])
    assert np.allclose(series.affine, label.affine, atol=1e-4)
    assert load_datalist(tmp_path, "training")[0]["image"] == str(tmp_path / "images" / "lung_0000")


def test_skin_images_and_splits(tmp_path):
    content = json.loads(make_phantoms("skin", tmp_path, count=5, shape=(40, 30)).read_text())
    assert [len(content[name]) for name in ("training", "validation", "test")] == [3, 1, 1]
    assert content["test"] == [
        {"case_id": "skin_0004", "image": "images/skin_0004.png", "label": "labels/skin_0004.png"}
    ]
    image, truth = skin_phantom((40, 30), 4)
    assert np.array_equal(Image.open(tmp_path / "images" / "skin_0004.png"), image)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "labels" / "skin_0004.png")), truth * 255)


def test_cardiac_stacks_are_two_frames_per_patient(tmp_path):
    content = json.loads(make_phantoms("cardiac", tmp_path, count=5, shape=SHAPE, seed=8).read_text())
    assert content["modality"] == "MR"
    assert [len(content[name]) for name in ("training", "validation", "test")] == [6, 2, 2]
    assert [entry["case_id"] for entry in content["test"]] == ["patient013_frame01", "patient013_frame13"]
    entry = content["test"][1]
    written, label = (nibabel.load(tmp_path / entry[key]) for key in ("image", "label"))
    image, truth = cardiac_phantom(SHAPE, 12, SYSTOLE)
    assert np.array_equal(written.dataobj, image)
    assert np.array_equal(label.dataobj, truth)
    assert np.array_equal(written.affine, np.eye(4))
    assert np.array_equal(label.affine, np.eye(4))


def test_cardiac_stacks_with_a_spacing(tmp_path):
    (_, image, label), _ = write_cardiac_phantom(tmp_path, "patient001", SHAPE, spacing=(1.5, 1.25, 8.0))
    for path in (image, label):
        assert np.allclose(nibabel.load(path).header.get_zooms(), (1.5, 1.25, 8.0))


def test_acdc_preparation_reads_cardiac_phantoms(tmp_path):
    make_phantoms("cardiac", tmp_path / "phantoms", count=2, shape=SHAPE, seed=69)
    content = json.loads(prepare("acdc", tmp_path / "phantoms", tmp_path / "prepared").read_text())
    entries = {e["case_id"]: e for section in ("training", "validation", "test") for e in content[section]}
    assert len(entries) == 4
    assert {e["case_id"].split("_")[0] for e in content["test"]} == {"patient071"}
    for case_id, entry in entries.items():
        assert entry["image"] == str(tmp_path / "phantoms" / "images" / f"{case_id}.nii.gz")
        assert entry["label"] == str(tmp_path / "phantoms" / "labels" / f"{case_id}_gt.nii.gz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "liver"}, "'liver'.*lung, skin, cardiac"),
        ({"task": "lung", "count": 0}, "count is 0"),
        ({"task": "lung", "shape": (64, 64)}, "64 64.*columns, rows and slices"),
        ({"task": "lung", "shape": (64, 64, 2)}, "at least 8"),
        ({"task": "skin", "shape": (64, 64, 8)}, "width and height"),
        ({"task": "skin", "dicom": True}, "not for skin"),
        ({"task": "cardiac", "dicom": True}, "not for cardiac"),
        ({"task": "cardiac", "shape": (64, 64, 3)}, "at least 8 8 4"),
        ({"task": "cardiac", "shape": (64, 64)}, "64 64 for cardiac.*slices"),
        ({"task": "cardiac", "seed": 998, "count": 2}, "reach patient 1000, expected 999"),
    ],
)
def test_refusals(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        make_phantoms(destination=tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()
