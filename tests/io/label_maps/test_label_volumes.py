"""Labels in volumes: values, older segmentations of 3D Slicer, and what MedVol writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import nrrd
import numpy as np
import pytest

from s3net_monai.io.label_maps.read_label import read_label
from s3net_monai.utils.errors import CaseError

AFFINE = np.array([[0, -2.0, 0, 10], [3, 0, 0, -5], [0, 0, 4, 7], [0, 0, 0, 1]])
CUBE = np.zeros((5, 4, 3))
CUBE[1:4, 1:3, 1] = 1


def test_the_lowest_value_of_eight_bits(tmp_path: Path) -> None:
    """Its absolute value does not exist in eight bits."""
    nib.save(nib.Nifti1Image((CUBE * -128).astype(np.int8), AFFINE), tmp_path / "a.nii")
    np.testing.assert_array_equal(read_label(tmp_path / "a.nii").array, CUBE)


@pytest.mark.parametrize("stored", [255, 254, 1, -1, 0.4, 65535, 1.0001])
def test_one_value_is_the_foreground(tmp_path: Path, stored: float) -> None:
    nib.save(nib.Nifti1Image((CUBE * stored).astype(np.float32), AFFINE), tmp_path / "a.nii.gz")
    label = read_label(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(label.array, CUBE)
    np.testing.assert_allclose(label.affine, AFFINE)


def test_unsigned_sixteen_bits(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image((CUBE * 65535).astype(np.uint16), AFFINE), tmp_path / "a.nii")
    np.testing.assert_array_equal(read_label(tmp_path / "a.nii").array, CUBE)


def test_classes_and_probabilities(tmp_path: Path) -> None:
    classes = CUBE * 2
    classes[1, 1, 1] = 3
    nib.save(nib.Nifti1Image(classes.astype(np.int16), AFFINE), tmp_path / "classes.nii.gz")
    np.testing.assert_array_equal(read_label(tmp_path / "classes.nii.gz").array, classes)
    soft = CUBE * 0.8
    soft[1, 1, 1] = 0.3
    nib.save(nib.Nifti1Image(soft.astype(np.float32), AFFINE), tmp_path / "soft.nii.gz")
    assert read_label(tmp_path / "soft.nii.gz").array.sum() == CUBE.sum() - 1
    classes[1, 1, 1] = 2.5
    nib.save(nib.Nifti1Image(classes.astype(np.float32), AFFINE), tmp_path / "mixed.nii.gz")
    with pytest.raises(CaseError, match=r"mixed\.nii\.gz: the values 0, 2, 2\.5 found, whole numbers expected"):
        read_label(tmp_path / "mixed.nii.gz")
    classes[1, 1, 1] = np.nan
    nib.save(nib.Nifti1Image(classes.astype(np.float32), AFFINE), tmp_path / "nan.nii.gz")
    with pytest.raises(CaseError, match=r"nan\.nii\.gz: values that are not finite"):
        read_label(tmp_path / "nan.nii.gz")


def test_nrrd_and_metaimage(tmp_path: Path) -> None:
    import SimpleITK

    image = SimpleITK.GetImageFromArray((CUBE * 255).astype(np.uint8).T)
    image.SetSpacing((3, 2, 4))
    for name in ("a.nrrd", "a.mha"):
        SimpleITK.WriteImage(image, str(tmp_path / name))
        label = read_label(tmp_path / name)
        np.testing.assert_array_equal(label.array, CUBE)
        np.testing.assert_allclose(label.affine, np.diag([-3.0, -2, 4, 1]))


def save_layers(path: Path, layers: np.ndarray, *, last: bool = False, **segments: str) -> None:
    """A segmentation in layers (layers, X, Y, Z), as 3D Slicer stores one whose segments may overlap."""
    directions: list[Any] = [[3, 0, 0], [0, 2, 0], [0, 0, 4]]
    header: dict[str, Any] = {"space": "left-posterior-superior", "space origin": [1, 2, 3], **segments}
    header |= {"space directions": [[np.nan] * 3, *directions], "kinds": ["list", "domain", "domain", "domain"]}
    if last:
        header |= {
            "space": "left-posterior-superior-time",
            "space origin": [1, 2, 3, 0],
            "space directions": np.diag([3.0, 2, 4, 1]),
            "kinds": ["domain"] * 4,
        }
        layers = np.moveaxis(layers, 0, -1)
    nrrd.write(str(path), layers.astype(np.uint8), header)


def layers(*, overlap: bool = False) -> np.ndarray:
    stack = np.zeros((2, 5, 4, 3))
    stack[0, 1:3] = 1
    stack[1, 2 if overlap else 3 :] = 1
    return stack


NAMES = {"Segment0_ID": "S1", "Segment0_Name": "lung", "Segment1_ID": "S2", "Segment1_Name": "nodule"}


def test_layers_without_numbers_are_the_segments_in_order(tmp_path: Path) -> None:
    save_layers(tmp_path / "a.seg.nrrd", layers(), **NAMES)
    label = read_label(tmp_path / "a.seg.nrrd")
    assert label.array[:, 0, 0].tolist() == [0, 1, 1, 2, 2]
    np.testing.assert_allclose(label.affine, [[-3, 0, 0, -1], [0, -2, 0, -2], [0, 0, 4, 3], [0, 0, 0, 1]])
    assert label.cropped


def test_layers_with_numbers(tmp_path: Path) -> None:
    numbers = {"Segment0_LabelValue": "1", "Segment0_Layer": "1", "Segment1_LabelValue": "2", "Segment1_Layer": "0"}
    stack = layers()
    stack[0] *= 2
    save_layers(tmp_path / "a.seg.nrrd", stack, **NAMES, **numbers)
    assert read_label(tmp_path / "a.seg.nrrd").array[:, 0, 0].tolist() == [0, 2, 2, 1, 1]


def test_layers_that_overlap_are_refused_with_both_names(tmp_path: Path) -> None:
    save_layers(tmp_path / "a.seg.nrrd", layers(overlap=True), **NAMES)
    with pytest.raises(CaseError, match=r"a\.seg\.nrrd: its segments 'lung' and 'nodule' overlap.*in 3D Slicer"):
        read_label(tmp_path / "a.seg.nrrd")


def test_layers_on_the_last_axis_are_refused_with_their_space(tmp_path: Path) -> None:
    save_layers(tmp_path / "a.seg.nrrd", layers(), last=True, **NAMES)
    message = (
        r"a\.seg\.nrrd: layers .* on the last axis and the space 'left-posterior-superior-time' found.*save .* Slicer"
    )
    with pytest.raises(CaseError, match=message):
        read_label(tmp_path / "a.seg.nrrd")
