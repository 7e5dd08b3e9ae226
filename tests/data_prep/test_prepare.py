"""Small copies of every data set in its public and its shorter layout; wrong folders are refused."""

import json
import re
import shutil
from hashlib import sha256

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image

from data_prep.phantom import write_lung_phantom
from data_prep.prepare import DATASETS, prepare
from s3net_monai.data.datalist import load_datalist
from s3net_monai.data.splits import choose_split, hash_fraction
from s3net_monai.file_formats import IMAGE_2D_SUFFIXES
from s3net_monai.utils.errors import DataError

_values = iter(range(1, 10**6))


def write_image(path, mode="RGB"):
    """Write an image whose pixels differ from those of all others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n = next(_values)
    Image.fromarray(np.full((3, 4, 3), [n % 256, n // 256, 0], np.uint8)).convert(mode).save(path)


def write_volume(path, value=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.full((4, 3, 2), next(_values) if value is None else value, np.int16)
    nibabel.save(nibabel.Nifti1Image(array, np.diag([-2.0, -2.0, 5.0, 1.0])), path)


def read_sections(datalist):
    """Return (section, image, label) by case, file names only."""
    content = json.loads(datalist.read_text())
    return {
        entry["case_id"]: (section, entry["image"].split("/")[-1], entry.get("label", "").split("/")[-1])
        for section in ("training", "validation", "test")
        for entry in content[section]
    }


@pytest.fixture
def source(tmp_path):
    return tmp_path / "source"


@pytest.fixture
def destination(tmp_path):
    return tmp_path / "destination"


def test_ph2_original(source, destination):
    for number in ("003", "008", "405"):
        folder = source / "PH2 Dataset images" / f"IMD{number}"
        write_image(folder / f"IMD{number}_Dermoscopic_Image" / f"IMD{number}.bmp")
        write_image(folder / f"IMD{number}_lesion" / f"IMD{number}_lesion.bmp", "L")
        write_image(folder / f"IMD{number}_roi" / f"IMD{number}_R1_Label3.bmp", "L")
    write_image(source / "PH2 Dataset images" / "IMD003" / "IMD003_Dermoscopic_Image" / "._IMD003.bmp")
    entries_by_case = read_sections(prepare("ph2", source, destination))
    assert set(entries_by_case) == {"IMD003", "IMD008", "IMD405"}
    assert entries_by_case["IMD008"] == ("test", "IMD008.bmp", "IMD008_lesion.bmp")
    assert entries_by_case["IMD003"][0] != "test"
    assert entries_by_case["IMD405"][0] != "test"


def test_ph2_flat_and_unlabeled(source, destination):
    for number in ("003", "100"):
        write_image(source / "images" / f"IMD{number}.jpg")
    assert read_sections(prepare("ph2", source, destination))["IMD100"] == ("test", "IMD100.jpg", "")
    write_image(source / "masks" / "IMD003.png", "1")
    with pytest.raises(DataError, match=r"IMD100.png: no such mask"):
        prepare("ph2", source, destination)


def test_isic_original(source, destination):
    for part, number in (("Training", 1), ("Validation", 2), ("Test", 3)):
        write_image(source / f"ISIC2018_Task1-2_{part}_Input" / f"ISIC_000000{number}.jpg")
        write_image(source / f"ISIC2018_Task1_{part}_GroundTruth" / f"ISIC_000000{number}_segmentation.png", "L")
    (source / "ISIC2018_Task1-2_Training_Input" / "LICENSE.txt").write_text("terms")
    entries_by_case = read_sections(prepare("isic2018", source, destination))
    assert set(entries_by_case) == {"ISIC_0000001", "ISIC_0000002"}
    assert entries_by_case["ISIC_0000001"][0] != "test"
    assert entries_by_case["ISIC_0000002"] == ("test", "ISIC_0000002.jpg", "ISIC_0000002_segmentation.png")


def test_isic_train_and_val(source, destination):
    for part, number in (("train", 1), ("val", 2)):
        write_image(source / part / "images" / f"ISIC_000000{number}.jpg")
        write_image(source / part / "masks" / f"ISIC_000000{number}.png", "L")
    entries_by_case = read_sections(prepare("isic2018", source, destination))
    assert entries_by_case["ISIC_0000002"] == ("test", "ISIC_0000002.jpg", "ISIC_0000002.png")
    assert entries_by_case["ISIC_0000001"][1:] == ("ISIC_0000001.jpg", "ISIC_0000001.png")


def test_lung_volumes(source, destination):
    for name in ("id001_ct", "id001_lung", "id003_ct", "id003_lung", "id004_ct"):
        write_volume(source / f"{name}.nii.gz")
    entries_by_case = read_sections(prepare("lung_volumes", source, destination))
    assert entries_by_case["id003"] == ("test", "id003_ct.nii.gz", "id003_lung.nii.gz")
    assert entries_by_case["id001"][1:] == ("id001_ct.nii.gz", "id001_lung.nii.gz")
    assert entries_by_case["id004"][1:] == ("id004_ct.nii.gz", "")


def test_lung_slices_are_all_for_test(source, destination):
    for name in ("17", "2"):
        write_image(source / "images" / f"{name}.png", "L")
        write_image(source / "masks" / f"{name}.png", "1")
    entries_by_case = read_sections(prepare("lung_slices", source, destination))
    assert entries_by_case == {"17": ("test", "17.png", "17.png"), "2": ("test", "2.png", "2.png")}


def test_kaggle_npz_becomes_png(source, destination):
    source.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 5), np.uint8)
    np.savez(source / "slices.npz", image=images, mask=images > 127)
    prepare("kaggle_lung", source, destination)
    entries = load_datalist(destination, "all", labels=True)
    assert len(entries) == 40
    assert {len(load_datalist(destination, name)) for name in ("training", "test")}.isdisjoint({0, 40})
    for entry in entries:
        index = int(entry["case_id"].removeprefix("slice_"))
        assert np.array_equal(Image.open(entry["image"]), images[index])
        assert np.array_equal(np.asarray(Image.open(entry["label"])), (images[index] > 127) * 255)


def test_kaggle_slices_in_hounsfield(source, destination):
    (source / "2d_images").mkdir(parents=True)
    (source / "2d_masks").mkdir()
    values = np.array([[-2000, -1000, -200], [600, 3000, 0]], np.int32)
    Image.fromarray(values).save(source / "2d_images" / "ID_0000_Z_0142.tif")
    Image.fromarray(np.array([[0, 255, 255], [0, 0, 0]], np.uint8)).save(source / "2d_masks" / "ID_0000_Z_0142.tif")
    prepare("kaggle_lung", source, destination)
    (entry,) = load_datalist(destination, "all", labels=True)
    assert np.asarray(Image.open(entry["image"])).tolist() == [[0, 0, 128], [255, 255, 159]]
    assert np.asarray(Image.open(entry["label"])).tolist() == [[0, 255, 255], [0, 0, 0]]


def test_kaggle_volumes(source, destination):
    write_volume(source / "3d_images" / "IMG_0002.nii.gz")
    write_volume(source / "3d_images" / "MASK_0002.nii.gz")
    entries_by_case = read_sections(prepare("kaggle_lung", source, destination))
    assert entries_by_case["volume_0002"][1:] == ("IMG_0002.nii.gz", "MASK_0002.nii.gz")


def test_kaggle_npz_of_another_kind(source, destination):
    source.mkdir()
    np.savez(source / "slices.npz", image=np.zeros((3, 4, 4)))
    with pytest.raises(DataError, match=r"slices.npz: image float64 \(3, 4, 4\)"):
        prepare("kaggle_lung", source, destination)


def test_images_and_masks_may_be_in_every_format_of_2d_images(source, destination):
    for number, suffix in enumerate(IMAGE_2D_SUFFIXES):
        write_image(source / "images" / f"{number}{suffix}")
        write_image(source / "masks" / f"{number}{suffix.upper()}", "1")
    entries = read_sections(prepare("lung_slices", source, destination))
    assert {case: entry[1:] for case, entry in entries.items()} == {
        str(number): (f"{number}{suffix}", f"{number}{suffix.upper()}")
        for number, suffix in enumerate(IMAGE_2D_SUFFIXES)
    }


@pytest.mark.parametrize(("image", "label"), [("", "_gt"), ("_image", "_label")])
def test_acdc(source, destination, image, label):
    for patient in ("patient001", "patient071", "patient080", "patient081", "patient101"):
        for frame in ("frame01", "frame12"):
            write_volume(source / "training" / patient / f"{patient}_{frame}{image}.nii.gz")
            write_volume(source / "training" / patient / f"{patient}_{frame}{label}.nii.gz", value=3)
        write_volume(source / "training" / patient / f"{patient}_4d.nii.gz")
    entries_by_case = read_sections(prepare("acdc", source, destination))
    assert len(entries_by_case) == 10
    frame = "patient071_frame01"
    assert entries_by_case[frame] == ("test", f"{frame}{image}.nii.gz", f"{frame}{label}.nii.gz")
    assert {name.split("_")[0] for name, entry in entries_by_case.items() if entry[0] == "test"} == {
        "patient071",
        "patient080",
        "patient101",
    }
    assert entries_by_case["patient001_frame01"][0] == entries_by_case["patient001_frame12"][0]


def test_dicom_tree(source, destination):
    folders = [write_lung_phantom(source, name, (8, 8, 4), seed=seed, dicom=True)[0] for seed, name in enumerate("abc")]
    # b and c share a folder; that of a holds only its own slices and a text file.
    for file in folders[2].iterdir():
        file.rename(folders[1] / f"c{file.name}")
    (folders[0] / "readme.txt").write_text("note")
    scout = pydicom.dcmread(folders[1] / "0001.dcm")
    scout.SeriesInstanceUID = "2.25.1"
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    (source / "scout").mkdir()
    scout.save_as(source / "scout" / "1.dcm")
    prepare("dicom", source, destination)
    images = [entry["image"] for entry in load_datalist(destination, "all")]
    assert str(folders[0]) in images
    mixed = sorted(image for image in images if isinstance(image, list))
    assert [[path.rsplit("/", 1)[1] for path in image] for image in mixed] == [
        [f"000{n}.dcm" for n in range(1, 5)],
        [f"c000{n}.dcm" for n in range(1, 5)],
    ]
    assert len(images) == 3
    assert "PHANTOM" not in (destination / "datalist.json").read_text()  # no PatientID


def test_names_of_dicom_series_do_not_tell_their_uids(source, destination, monkeypatch):
    folder, _ = write_lung_phantom(source, "a", (8, 8, 4), dicom=True)
    uid = str(pydicom.dcmread(folder / "0001.dcm").SeriesInstanceUID)
    names = []
    for user in ("a", "b", "a"):
        monkeypatch.setenv("XDG_STATE_HOME", str(source / user))
        prepare("dicom", source, destination)
        names += [entry["case_id"] for entry in load_datalist(destination, "all")]
    assert re.fullmatch("series_[0-9a-f]{12}", names[0])
    assert names[0] == names[2] != names[1]
    assert names[0].removeprefix("series_") not in sha256(uid.encode()).hexdigest()


def test_dicom_series_with_a_missing_slice(source, destination):
    folder, _ = write_lung_phantom(source, "a", (8, 8, 6), dicom=True)
    (folder / "0003.dcm").unlink()
    with pytest.raises(DataError, match="missing slice"):
        prepare("dicom", source, destination)
    assert not (destination / "datalist.json").exists()


@pytest.mark.parametrize("name", DATASETS)
def test_missing_empty_and_foreign_folders(name, source, destination):
    with pytest.raises(DataError, match=r"source: no such folder, expected .+; give"):
        prepare(name, source, destination)
    source.mkdir()
    with pytest.raises(DataError, match=r"source: an empty folder, looked for .+; give"):
        prepare(name, source, destination)
    (source / "holiday.gif").write_bytes(b"GIF89a")
    with pytest.raises(DataError, match=r"source: no file of this data set, looked for"):
        prepare(name, source, destination)
    assert not destination.exists()


def test_unknown_data_set(source, destination):
    with pytest.raises(DataError, match="'ph3' is not known, expected one of ph2, isic2018"):
        prepare("ph3", source, destination)


def test_preparing_twice_gives_the_same_file(source, destination):
    for number in range(30):
        write_image(source / "images" / f"IMD{number:03d}.png")
    first = prepare("ph2", source, destination).read_bytes()
    shutil.rmtree(destination)
    assert prepare("ph2", source, destination).read_bytes() == first


def test_split_depends_only_on_the_patient():
    names = [f"patient{n}" for n in range(2000)]
    splits = [choose_split(name, is_test=False) for name in names]
    assert 0.08 < splits.count("validation") / len(names) < 0.12
    assert splits.count("test") == 0
    assert choose_split(names[0], is_test=True) == "test"
    assert np.histogram([hash_fraction(name) for name in names], 4, (0, 1))[0].min() > 440
