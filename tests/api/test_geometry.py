"""Python API: where the voxels of an image lie, by its own statement or by arguments."""

from __future__ import annotations

from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

import s3net_monai
from s3net_monai.inference import Bundle
from s3net_monai.io import limits
from s3net_monai.utils.errors import CaseError
from tests.helpers.affines import OBLIQUE
from tests.helpers.dicom_tools import to_itk_image


def test_spacing_stands_for_an_affine(volume: np.ndarray, lung: Bundle) -> None:
    result = s3net_monai.segment(volume, bundle=lung, spacing=(0.5, 2.0, 3.0))
    np.testing.assert_array_equal(result.affine, np.diag([0.5, 2.0, 3.0, 1.0]))
    assert result.measures["volume_ml"] == pytest.approx(19 * 3.0 / 1000, abs=1e-6)


def test_areas_are_in_mm_where_the_pixel_size_is_given(skin: Bundle, lung: Bundle) -> None:
    pixels = np.zeros((9, 7, 3), np.uint8)
    pixels[2:5, 3:7, 0] = 200
    assert "area_mm2" not in s3net_monai.segment(pixels, bundle=skin).measures
    measures = s3net_monai.segment(pixels, bundle=skin, spacing=(0.5, 0.1)).measures
    assert measures["area_mm2"] == pytest.approx(12 * 0.05)
    # From the middle of a pixel's upper edge to that of a lower edge, three columns further.
    assert measures["diameter_mm"] == pytest.approx(np.hypot(3 * 0.5, 3 * 0.1), abs=0.005)  # two decimals
    with pytest.raises(CaseError, match="a color image has no affine; give spacing"):
        s3net_monai.segment(pixels, bundle=skin, affine=np.eye(4))
    with pytest.raises(CaseError, match=r"spacing \(1, 1, 1\) found, 2 numbers above 0"):
        s3net_monai.segment(pixels, bundle=skin, spacing=(1, 1, 1))
    ct_slice = np.full((6, 5), -800, np.int16)
    assert s3net_monai.segment(ct_slice, bundle=lung, spacing=(2.0, 0.5)).measures["area_mm2"] == 30.0


def test_the_geometry_of_a_slice_is_kept(lung: Bundle) -> None:
    values = np.full((6, 5), -800, np.int16)
    affine = np.diag([-0.5, -0.7, 3.0, 1.0])
    for image, options in (
        (values, {"affine": affine}),
        (values, {"affine": torch.from_numpy(affine).requires_grad_()}),
        (MetaTensor(torch.from_numpy(values)[None], affine=torch.from_numpy(affine)), {}),
        (nibabel.Nifti1Image(values, affine), {}),
    ):
        result = s3net_monai.segment(image, bundle=lung, **options)
        np.testing.assert_array_equal(result.affine, affine)
        assert result.measures["area_mm2"] == pytest.approx(30 * 0.35)
    assert "area_mm2" not in s3net_monai.segment(values, bundle=lung).measures


@pytest.mark.parametrize("unit", ["meter", "micron"])
def test_other_units_than_mm_are_converted(unit: str, volume: np.ndarray, lung: Bundle) -> None:
    mm = {"meter": 1000.0, "micron": 0.001}[unit]
    image = nibabel.Nifti1Image(volume, np.diag([1 / mm, 1 / mm, 1 / mm, 1.0]) @ OBLIQUE)
    image.header.set_xyzt_units(unit)
    result = s3net_monai.segment(image, bundle=lung)
    np.testing.assert_allclose(result.affine, OBLIQUE, rtol=1e-6)
    np.testing.assert_array_equal(result.mask.affine, image.affine)
    assert result.measures["volume_ml"] == pytest.approx(19 * abs(np.linalg.det(OBLIQUE[:3, :3])) / 1000, abs=1e-3)
    assert f"voxel sizes in {unit} found: converted to mm" in result.warnings


@pytest.mark.parametrize("kind", ["numpy", "metatensor", "nibabel", "simpleitk"])
def test_sheared_and_unlikely_geometries_are_refused(
    kind: str, volume: np.ndarray, lung: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheared = OBLIQUE.copy()
    sheared[:3, 2] += 0.5 * sheared[:3, 0]

    def made(affine: np.ndarray) -> tuple[Any, dict[str, Any]]:
        if kind == "numpy":
            return volume, {"affine": affine}
        if kind == "metatensor":
            return MetaTensor(torch.from_numpy(volume), affine=torch.from_numpy(affine)), {}
        return (nibabel.Nifti1Image(volume, affine) if kind == "nibabel" else to_itk_image(volume, affine)), {}

    monkeypatch.setattr(limits, "MIN_EXTENT_MM", 5.0)
    for affine, reason in ((sheared, "sheared by"), (OBLIQUE * 1e-3, "spans 0.0"), (OBLIQUE * 1e3, "3000 mm expected")):
        affine[3, 3] = 1
        image, geometry = made(affine)
        with pytest.raises(CaseError, match=reason):
            s3net_monai.segment(image, bundle=lung, **geometry)


def test_a_shear_in_memory_has_a_remedy_of_python(volume: np.ndarray, lung: Bundle) -> None:
    sheared = OBLIQUE.copy()
    sheared[:3, 2] += 0.1 * sheared[:3, 0]
    message = r'sheared by .* found, .*resample it, or save it and give its path to a bundle loaded with allow="tilt"$'
    for image, geometry in ((nibabel.Nifti1Image(volume, sheared), {}), (volume, {"affine": sheared})):
        with pytest.raises(CaseError, match=message):
            s3net_monai.segment(image, bundle=lung, **geometry)


def test_a_nibabel_image_with_two_voxel_sizes_is_refused(volume: np.ndarray, lung: Bundle) -> None:
    image = nibabel.Nifti1Image(volume, OBLIQUE)
    image.header["pixdim"][1:4] = 1
    with pytest.raises(CaseError, match=r"1x1x1 by pixdim and of .* by the sform"):
        s3net_monai.segment(image, bundle=lung)


def test_a_nibabel_image_without_codes_has_a_warning(volume: np.ndarray, lung: Bundle) -> None:
    image = nibabel.Nifti1Image(volume, OBLIQUE)
    image.set_sform(None)
    image.set_qform(None)
    result = s3net_monai.segment(image, bundle=lung)
    assert "states no orientation" in " ".join(result.warnings)
    np.testing.assert_allclose(result.affine, image.affine)


def test_a_meta_tensor_in_lps_keeps_its_sides(lung: Bundle, volume: np.ndarray) -> None:
    values = torch.as_tensor(volume)
    ras = s3net_monai.segment(MetaTensor(values, affine=torch.as_tensor(OBLIQUE)), bundle=lung)
    flipped = torch.as_tensor(np.diag([-1.0, -1, 1, 1]) @ OBLIQUE)
    lps = s3net_monai.segment(MetaTensor(values, affine=flipped, meta={"space": "LPS"}), bundle=lung)
    np.testing.assert_allclose(lps.affine, ras.affine)
    assert lps.measures == ras.measures
