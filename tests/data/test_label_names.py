"""One rule tells labels from images in the layouts of public data sets, and pairs them."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from s3net_monai.data.label_names import describe, find_labels, is_result, label_names, pair_labels
from s3net_monai.file_formats import PREVIEW_SUFFIX
from s3net_monai.inference.run.earlier_run import MASK_ENDINGS
from s3net_monai.io import FORMATS
from s3net_monai.io.writers import output_path
from s3net_monai.utils.errors import DataError

# By layout: image -> label; labels and superpixels without an image of theirs; images without a label.
LAYOUTS: dict[str, tuple[dict[str, str], list[str], list[str]]] = {
    "ISIC 2018": (
        {"Training_Input/ISIC_1.jpg": "Training_GroundTruth/ISIC_1_segmentation.png"},
        ["Training_Input/ISIC_1_superpixels.png"],
        [],
    ),
    "ISIC 2016": ({"ISIC_1.jpg": "ISIC_1_Segmentation.png"}, [], ["ISIC_2.jpg"]),
    "ISIC 2018 task 2": ({}, ["T2_GroundTruth_v3/ISIC_1_attribute_globules.png"], ["T2_Input/ISIC_1.jpg"]),
    "HAM10000": (
        {"HAM10000_images_part_1/ISIC_1.jpg": "HAM10000_segmentations_lesion_tschandl/ISIC_1_segmentation.png"},
        [],
        [],
    ),
    "PH2": (
        {"IMD002/IMD002_Dermoscopic_Image/IMD002.bmp": "IMD002/IMD002_lesion/IMD002_lesion.bmp"},
        ["IMD002/IMD002_roi/IMD002_R1_Label4.bmp"],
        [],
    ),
    "MSD": ({"imagesTr/lung_001.nii.gz": "labelsTr/lung_001.nii.gz"}, [], ["imagesTs/lung_002.nii.gz"]),
    "nnU-Net": ({"imagesTr/la_001_0000.nii.gz": "labelsTr/la_001.nii.gz"}, [], ["imagesTs/la_002_0000.nii.gz"]),
    "beside the image": ({"img.png": "img_mask.png"}, ["gone_mask.png"], ["other.png"]),
    "ACDC": ({"p1_frame01.nii.gz": "p1_frame01_gt.nii.gz", "p2_image.nii": "p2_label.nii"}, [], []),
    "volumes": ({"id003_CT.nii.gz": "id003_lung.nii.gz"}, ["id003_lung_mask.nii.gz"], []),
    "LiTS": ({"volume-0.nii": "segmentation-0.nii"}, [], []),
    "KiTS": (
        {"c1/imaging.nii.gz": "c1/segmentation.nii.gz", "c2/imaging.nii.gz": "c2/segmentation.nii.gz"},
        [],
        [],
    ),
    "TotalSegmentator": ({}, ["s1/segmentations/liver.nii.gz"], ["s1/ct.nii.gz"]),
    "splits": ({"train/images/1.png": "train/masks/1.png", "val/images/1.png": "val/masks/1.png"}, [], []),
    "MONAI Label": ({"a.nii.gz": "labels/final/a.nii.gz"}, [], ["b.nii.gz"]),
    "classes of lesions": ({}, [], ["lesion/1.jpg", "nevus/1.jpg", "no_labels/1.jpg"]),
    "names that merely end so": ({}, [], ["a_lung.nii.gz", "b_lung.nii.gz"]),
    "a folder of masks alone": ({}, [], ["masks/a.png", "masks/b.png"]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    pairs, other_labels, other_images = LAYOUTS[layout]
    names = [*pairs, *pairs.values(), *other_labels, *other_images]
    found = find_labels([PurePath(name) for name in reversed(names)])
    assert {str(path) for path in found} == {*pairs.values(), *other_labels}
    images = [PurePath(name) for name in (*pairs, *other_images)]
    assert {str(image): str(label) for image, label in pair_labels(images, found).items()} == pairs


def test_what_was_found_is_described_by_the_rule_and_not_by_names_of_files() -> None:
    names = ["anna.png", "anna_Mask.png", "berta.png", "berta_mask.png", "labels/anna.png"]
    found = find_labels([PurePath(name) for name in names])
    assert describe(found.values()) == "3 masks or labels by name (_mask, folder labels)"


def test_two_labels_of_one_image_are_refused() -> None:
    files = [PurePath(name) for name in ("a.png", "a_mask.png", "a_mask.bmp")]
    with pytest.raises(DataError, match=r"a\.png: two labels, a_mask\.bmp and a_mask\.png"):
        pair_labels(files[:1], find_labels(files))


def test_of_two_kinds_of_names_one_is_preferred() -> None:
    files = [PurePath(name) for name in ("a.png", "a_mask.png", "a_segmentation.png", "a_superpixels.png")]
    assert pair_labels(files[:1], find_labels(files)) == {files[0]: files[2]}


@pytest.mark.parametrize("name", ["a_seg.nii.gz", "A_SEG.PNG", "a_preview.jpg", "Segmentation.seg.nrrd", "a_seg"])
def test_results_of_an_earlier_run(name: str) -> None:
    assert is_result(name)
    assert not is_result("segment_1.png")


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_file_that_a_run_writes_is_a_result(format_name: str) -> None:
    mask = output_path(Path("masks"), "case.1", format_name).name
    assert is_result(mask)
    assert mask.endswith(MASK_ENDINGS)
    assert is_result(f"case.1{PREVIEW_SUFFIX}")


@pytest.mark.parametrize("name", ["scan_seg.v2.nii.gz", "p1_seg.1.png", "a_segment.nii", "a_preview.png"])
def test_names_that_no_run_writes_are_no_results(name: str) -> None:
    """A search must not pass over an image, and a run must not refuse its own masks, by two different rules."""
    assert not is_result(name)
    assert not name.endswith((*MASK_ENDINGS, PREVIEW_SUFFIX))


def test_names_of_a_label_compare_in_lower_case() -> None:
    names = label_names("ISIC_0000000")
    assert "isic_0000000_segmentation" in names
    assert names[-1] == "isic_0000000"
    assert "id003_lung" in label_names("id003_CT")
    assert "mask_0001" in label_names("IMG_0001")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["p1/image.nii", "p1/label.nii", "p2/image.nii"], {"p1/image.nii": "p1/label.nii"}),
        (
            ["case_0/imaging.nii", "case_0/segmentation.nii", "case_1/imaging.nii"],
            {"case_0/imaging.nii": "case_0/segmentation.nii"},
        ),
        (["A/images/1.png", "A/masks/1.png", "B/images/1.png"], {"A/images/1.png": "A/masks/1.png"}),
        (["p1/t1.png", "p1/t1_mask.png", "p2/t1.png"], {"p1/t1.png": "p1/t1_mask.png"}),
        (["train/1.png", "train/1_mask.png", "test/1.png"], {"train/1.png": "train/1_mask.png"}),
        (
            ["images/train/1.png", "images/val/1.png", "labels/train/1.png", "labels/val/1.png"],
            {"images/train/1.png": "labels/train/1.png", "images/val/1.png": "labels/val/1.png"},
        ),
        (["sub/a.png", "a_mask.png", "other/b.png"], {"sub/a.png": "a_mask.png"}),
    ],
)
def test_an_image_never_gets_the_label_of_another(names: list[str], expected: dict[str, str]) -> None:
    files = [PurePath(name) for name in names]
    labels = find_labels(files)
    pairs = pair_labels([file for file in files if file not in labels], labels)
    assert {str(image): str(label) for image, label in pairs.items()} == expected


def test_two_images_of_one_label_are_refused() -> None:
    files = [PurePath(name) for name in ("a.png", "a_ct.png", "a_mask.png")]
    labels = find_labels(files)
    with pytest.raises(DataError, match=r"a_mask.png: the label of a.png and of a_ct.png; give every image its own"):
        pair_labels(files[:2], labels)
