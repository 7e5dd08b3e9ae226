"""Scores of folders of masks against folders of labels."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from s3net_monai.evaluation import evaluate, format_table


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("predictions", "labels"):
        (tmp_path / name).mkdir()
    return tmp_path / "predictions", tmp_path / "labels"


def volume(path: Path, array: np.ndarray, affine: np.ndarray | None = None) -> None:
    nib.save(nib.Nifti1Image(array.astype(np.uint8), np.eye(4) if affine is None else affine), path)


def blob() -> np.ndarray:
    return np.random.default_rng(0).random((6, 5, 4)) > 0.5


@pytest.mark.parametrize(
    ("prediction", "label"),
    [
        ("a_seg", "a"),
        ("a_seg", "a_seg"),
        ("a_seg", "a_lung"),
        ("a_seg", "a_segmentation"),
        ("id003_ct_seg", "id003_lung"),
        ("a_image_seg", "a_label"),
    ],
)
def test_matching_names(folders: tuple[Path, Path], prediction: str, label: str) -> None:
    volume(folders[0] / f"{prediction}.nii.gz", blob())
    volume(folders[1] / f"{label}.nii", blob())
    evaluation = evaluate(*folders)
    assert evaluation.complete
    assert [case.dice for case in evaluation.cases] == [1.0]


def test_images_beside_labels_are_not_labels(folders: tuple[Path, Path]) -> None:
    for name in ("a_ct", "b_ct"):
        volume(folders[0] / f"{name}_seg.nii.gz", blob())
        volume(folders[1] / f"{name}.nii.gz", np.arange(120).reshape(6, 5, 4))
    volume(folders[1] / "a_lung.nii.gz", blob())
    evaluation = evaluate(*folders)
    assert [(case.case_id, case.dice) for case in evaluation.cases] == [("a_ct", 1.0)]
    assert evaluation.without_prediction == []
    assert "120 different values, so an image" in evaluation.failed["b_ct"]


def test_names_without_counterpart_are_listed(folders: tuple[Path, Path]) -> None:
    for name in ("a", "b"):
        volume(folders[0] / f"{name}_seg.nii.gz", blob())
    for name in ("a", "c"):
        volume(folders[1] / f"{name}.nii.gz", blob())
    evaluation = evaluate(*folders)
    assert (evaluation.without_label, evaluation.without_prediction) == (["b"], ["c"])
    assert not evaluation.complete
    assert evaluation.summary()["missing"] == 2
    assert "no label for b" in format_table(evaluation)


def test_axis_order_is_irrelevant_but_position_is_not(folders: tuple[Path, Path]) -> None:
    flip = np.diag([-1.0, -1, 1, 1])
    flip[:2, 3] = 5, 4
    volume(folders[0] / "flipped_seg.nii.gz", blob()[::-1, ::-1], flip)
    volume(folders[1] / "flipped.nii.gz", blob())
    shifted = np.eye(4)
    shifted[0, 3] = 2
    volume(folders[0] / "shifted_seg.nii.gz", blob(), shifted)
    volume(folders[1] / "shifted.nii.gz", blob())
    volume(folders[0] / "cut_seg.nii.gz", blob()[:5])
    volume(folders[1] / "cut.nii.gz", blob())
    evaluation = evaluate(*folders)
    assert [(case.case_id, case.dice) for case in evaluation.cases] == [("flipped", 1.0)]
    assert "lies 2 mm off" in evaluation.failed["shifted"]
    assert "label of 6x5x4, expected 5x5x4" in evaluation.failed["cut"]


def test_binary_2d_masks_of_any_type(folders: tuple[Path, Path]) -> None:
    mask = np.zeros((4, 7), dtype=bool)
    mask[1:3, 2:5] = True
    Image.fromarray(mask.astype(np.uint8) * 255).save(folders[0] / "a_seg.png")
    Image.fromarray(mask).save(folders[1] / "a.png")
    case = evaluate(*folders).cases[0]
    assert (case.dice, case.unit) == (1.0, "px")


def test_summary_of_known_scores(folders: tuple[Path, Path]) -> None:
    truth = np.zeros((4, 4), dtype=np.uint8)
    truth[0] = 255
    for name, columns in {"a": 4, "b": 2, "c": 0}.items():
        prediction = np.zeros_like(truth)
        prediction[0, :columns] = 255
        Image.fromarray(prediction).save(folders[0] / f"{name}_seg.png")
        Image.fromarray(truth).save(folders[1] / f"{name}.png")
    summary = evaluate(*folders).summary()
    assert summary["dice"] == {"mean": pytest.approx((1 + 2 / 3 + 0) / 3), "median": pytest.approx(2 / 3), "count": 3}
    assert summary["hd95"]["count"] == 2
    assert summary["share_below_0.5"] == pytest.approx(1 / 3)


def test_unusable_folders(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such folder of predictions"):
        evaluate(tmp_path / "gone", folders[1])
    with pytest.raises(ValueError, match="no predictions found"):
        evaluate(*folders)
    for suffix in (".nii", ".nii.gz"):
        volume(folders[0] / f"a_seg{suffix}", blob())
    with pytest.raises(ValueError, match="a second mask for a"):
        evaluate(*folders)


def test_damaged_mask_fails_alone(folders: tuple[Path, Path]) -> None:
    for name in ("a", "b"):
        volume(folders[0] / f"{name}_seg.nii.gz", blob())
        volume(folders[1] / f"{name}.nii.gz", blob())
    (folders[0] / "a_seg.nii.gz").write_bytes(b"broken")
    evaluation = evaluate(*folders)
    assert [case.case_id for case in evaluation.cases] == ["b"]
    assert "not readable" in evaluation.failed["a"]


SQUARE = np.zeros((20, 30), np.uint8)
SQUARE[5:15, 5:25] = 1
HALF = SQUARE.copy()
HALF[:, 15:] = 0  # Dice with the square: 2 * 100 / (100 + 200)


@pytest.mark.parametrize("value", [1, 254, 128, 255, 2])
def test_labels_of_one_value_are_the_foreground(folders: tuple[Path, Path], value: int) -> None:
    Image.fromarray(255 * HALF).save(folders[0] / "a_seg.png")
    Image.fromarray(value * SQUARE).save(folders[1] / "a.png")
    evaluation = evaluate(*folders)
    (case,) = evaluation.cases
    assert case.dice == pytest.approx(2 / 3)
    assert list(case.labels) == ["1"]
    expected = ["the values 1 of the mask and 2 of the label are the foreground"] if value == 2 else []
    assert evaluation.warnings.get("a", []) == expected


def test_labels_of_sixteen_bits_and_inverted_palettes(folders: tuple[Path, Path]) -> None:
    for name in ("a", "b", "c"):
        Image.fromarray(255 * HALF).save(folders[0] / f"{name}_seg.png")
    Image.fromarray(SQUARE.astype(np.uint16) * 65535).save(folders[1] / "a_segmentation.png")
    inverted = Image.fromarray(SQUARE).convert("P")
    inverted.putdata((1 - SQUARE).ravel().tolist())
    inverted.putpalette([255, 255, 255, 0, 0, 0])
    inverted.save(folders[1] / "B_Segmentation.png")
    red = np.zeros((20, 30, 3), np.uint8)
    red[..., 0] = 255 * SQUARE
    Image.fromarray(red).save(folders[1] / "c.png")
    evaluation = evaluate(*folders)
    assert [(case.case_id, case.dice) for case in evaluation.cases] == [
        ("a", pytest.approx(2 / 3)),
        ("b", pytest.approx(2 / 3)),
    ]
    assert "the colors (255, 0, 0) found" in evaluation.failed["c"]
    assert evaluation.without_prediction == []


def test_volumes_of_255(folders: tuple[Path, Path]) -> None:
    volume(folders[0] / "a_seg.nii.gz", HALF[..., None])
    volume(folders[1] / "a.nii.gz", 255 * SQUARE[..., None])
    assert evaluate(*folders).cases[0].dice == pytest.approx(2 / 3)


def test_classes_keep_their_numbers_and_what_only_one_file_holds_is_said(folders: tuple[Path, Path]) -> None:
    for name, prediction, truth in (("a", 2, 3), ("b", 3, 3), ("c", 2, 2)):
        volume(folders[0] / f"{name}_seg.nii.gz", prediction * SQUARE[..., None])
        volume(folders[1] / f"{name}.nii.gz", truth * SQUARE[..., None])
    evaluation = evaluate(*folders)
    assert [(case.case_id, case.dice) for case in evaluation.cases] == [("a", 0.0), ("b", 1.0), ("c", 1.0)]
    assert evaluation.warnings == {"a": ["values in the mask alone: 2", "values in the label alone: 3"]}
    assert "note on a: values in the label alone: 3" in format_table(evaluation)
    assert evaluation.as_dict()["warnings"] == evaluation.warnings
    assert evaluation.complete


def test_a_label_that_lost_its_position_is_scored_with_a_note(folders: tuple[Path, Path]) -> None:
    affine = np.diag([-2.0, -3.0, 4.0, 1.0])
    volume(folders[0] / "a_seg.nii.gz", blob(), affine)
    volume(folders[1] / "a.nii.gz", blob())
    evaluation = evaluate(*folders)
    assert [case.dice for case in evaluation.cases] == [1.0]
    assert evaluation.warnings["a"][0].startswith("a.nii.gz: states no position")


def test_superpixels_are_no_labels(folders: tuple[Path, Path]) -> None:
    Image.fromarray(255 * HALF).save(folders[0] / "ISIC_1_seg.png")
    Image.fromarray(255 * SQUARE).save(folders[1] / "ISIC_1_segmentation.png")
    Image.fromarray(255 * SQUARE).save(folders[1] / "ISIC_1_superpixels.png")
    assert evaluate(*folders).complete


def test_what_a_mean_leaves_out_and_shared_labels_are_said(tmp_path: Path) -> None:
    for folder in ("masks", "labels"):
        (tmp_path / folder).mkdir()
    mask = np.zeros((8, 8), np.uint8)
    mask[2:5, 2:5] = 1
    for name, array in (("a", mask), ("a_ct", np.zeros_like(mask))):
        Image.fromarray(array).save(tmp_path / "masks" / f"{name}_seg.png")
        (tmp_path / "masks" / f"{name}_preview.jpg").touch()
    Image.fromarray(mask).save(tmp_path / "labels" / "a.png")
    (tmp_path / "labels" / "a_preview.jpg").touch()
    scores = evaluate(tmp_path / "masks", tmp_path / "labels")
    assert scores.without_prediction == []
    lines = format_table(scores).splitlines()
    assert "hd95: mean and median of 1 of 2 cases; the others have no value" in lines
    assert "note on a: has the label a.png in common with a_ct" in lines
