"""Python's front door: every kind of image gives the mask that its file gives, as its own kind."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK
import torch
from monai.data import MetaTensor
from PIL import Image

import s3net_monai
from s3net_monai.api import Result
from s3net_monai.inference import Bundle
from s3net_monai.io import limits
from s3net_monai.utils.errors import CaseError, UsageError
from tests.helpers.ct_series import SeriesMaker
from tests.helpers.dicom_tools import to_itk_image

OBLIQUE = np.array([[0.0, -1.8, 1.2, 10.0], [2.0, 0.0, 0.0, -20.0], [0.0, 0.9, 2.4, 30.0], [0.0, 0.0, 0.0, 1.0]])


@pytest.fixture
def volume() -> np.ndarray:
    """HU (7, 6, 5): a block of air off center, and a value on either side of the toy bundle's threshold."""
    values = np.full((7, 6, 5), 40, np.int16)
    values[1:4, 2:5, 1:3] = -800
    values[5, 1, 4], values[5, 2, 4] = -401, -400
    return values


@pytest.fixture
def lung(lung_bundle: Path) -> Bundle:
    return s3net_monai.load_bundle("lung", bundle=lung_bundle, device="cpu")


@pytest.fixture
def skin(skin_bundle: Path) -> Bundle:
    return s3net_monai.load_bundle("skin", bundle=skin_bundle, device="cpu")


def test_a_path_gives_an_array_with_its_geometry(volume: np.ndarray, lung: Bundle, tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(volume, OBLIQUE), tmp_path / "ct.nii.gz")
    result = s3net_monai.segment(tmp_path / "ct.nii.gz", bundle=lung)
    assert isinstance(result, Result)
    np.testing.assert_array_equal(result.mask, volume < -400.5)
    assert result.mask.dtype == np.uint8
    np.testing.assert_allclose(result.affine, OBLIQUE, atol=1e-5)
    assert result.labels == {"lung": 1}
    voxel_ml = abs(np.linalg.det(OBLIQUE[:3, :3])) / 1000
    assert result.measures["volume_ml"] == pytest.approx(19 * voxel_ml, abs=1e-3)
    assert result.measures["mean_hu"] == pytest.approx((-800 * 18 - 401) / 19)


@pytest.mark.parametrize("kind", ["numpy", "tensor", "metatensor", "channel", "nibabel", "simpleitk"])
def test_every_kind_of_volume_comes_back_as_itself(kind: str, volume: np.ndarray, lung: Bundle) -> None:
    values = torch.from_numpy(volume)
    affine = torch.from_numpy(OBLIQUE)
    images: dict[str, Any] = {
        "numpy": volume,
        "tensor": values,
        "metatensor": MetaTensor(values, affine=affine),
        "channel": MetaTensor(values[None], affine=affine),
        "nibabel": nibabel.Nifti1Image(volume, OBLIQUE),
        "simpleitk": to_itk_image(volume, OBLIQUE),
    }
    image = images[kind]
    geometry = {"affine": OBLIQUE} if kind in ("numpy", "tensor") else {}
    result = s3net_monai.segment(image, bundle=lung, **geometry)
    mask = result.mask
    assert type(mask) is type(image)
    expected = (volume < -400.5).astype(np.uint8)
    if kind == "simpleitk":
        assert mask.GetOrigin() == image.GetOrigin()
        assert mask.GetDirection() == image.GetDirection()
        assert mask.GetSpacing() == image.GetSpacing()
        mask = SimpleITK.GetArrayFromImage(mask).T
    elif kind == "nibabel":
        np.testing.assert_array_equal(mask.affine, OBLIQUE)
        assert mask.get_data_dtype() == np.uint8
        mask = np.asanyarray(mask.dataobj)
    elif kind == "channel":
        assert mask.shape == (1, *volume.shape)
        mask = mask[0]
    if kind in ("metatensor", "channel"):
        np.testing.assert_array_equal(np.asarray(result.mask.affine), OBLIQUE)
    np.testing.assert_array_equal(np.asarray(mask), expected)
    np.testing.assert_allclose(result.affine, OBLIQUE, atol=1e-9)


def test_spacing_stands_for_an_affine(volume: np.ndarray, lung: Bundle) -> None:
    result = s3net_monai.segment(volume, bundle=lung, spacing=(0.5, 2.0, 3.0))
    np.testing.assert_array_equal(result.affine, np.diag([0.5, 2.0, 3.0, 1.0]))
    assert result.measures["volume_ml"] == pytest.approx(19 * 3.0 / 1000, abs=1e-6)


def test_a_scaled_nifti_image_is_read_in_its_own_values(volume: np.ndarray, lung: Bundle, tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(volume, OBLIQUE)
    image.header.set_slope_inter(2.0, -100.0)
    nibabel.save(image, tmp_path / "scaled.nii.gz")
    by_path = s3net_monai.segment(tmp_path / "scaled.nii.gz", bundle=lung).mask
    in_memory = s3net_monai.segment(nibabel.load(tmp_path / "scaled.nii.gz"), bundle=lung).mask
    np.testing.assert_array_equal(np.asanyarray(in_memory.dataobj), by_path)
    assert in_memory.dataobj.max() == 1


def test_a_dicom_series_is_one_image(lung: Bundle, tmp_path: Path) -> None:
    stored = np.full((5, 4, 6), 1064, np.uint16)
    stored[1:3, 1:3, 2:4] = 224
    folder = SeriesMaker(stored).save(tmp_path / "series")
    mask = s3net_monai.segment(folder, bundle=lung).mask
    assert mask.sum() == 8
    np.testing.assert_array_equal(mask.any(axis=(0, 1)), [False, True, True, False, False])


def test_color_images_as_file_array_and_simpleitk(skin: Bundle, tmp_path: Path) -> None:
    pixels = np.zeros((9, 7, 3), np.uint8)
    pixels[2:5, 3:6, 0] = 200
    Image.fromarray(pixels.swapaxes(0, 1)).save(tmp_path / "lesion.png")
    expected = pixels[..., 0] > 127
    results = [
        s3net_monai.segment(image, bundle=skin).mask
        for image in (tmp_path / "lesion.png", pixels, pixels / 255.0, pixels.astype(np.float32))
    ]
    for mask in results:
        np.testing.assert_array_equal(mask, expected)
    channel_first = s3net_monai.segment(torch.from_numpy(pixels).movedim(-1, 0), bundle=skin).mask
    assert channel_first.shape == (1, 9, 7)
    vector = SimpleITK.GetImageFromArray(pixels.swapaxes(0, 1), isVector=True)
    mask = s3net_monai.segment(vector, bundle=skin).mask
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(mask).T, expected)


def test_a_damaged_file_is_named_in_one_line(skin: Bundle, lung: Bundle, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "whole.png")
    cut = tmp_path / "cut.png"
    cut.write_bytes((tmp_path / "whole.png").read_bytes()[:1500])
    with pytest.raises(CaseError, match=r"^cut\.png: damaged or cut off .*copy the file again$"):
        s3net_monai.segment(cut, bundle=skin)
    with pytest.raises(CaseError, match=r"^image 1 of the list: cut\.png: damaged"):
        s3net_monai.segment([tmp_path / "whole.png", cut], bundle=skin)
    volume = tmp_path / "ct.nii"
    nibabel.save(nibabel.Nifti1Image(np.zeros((8, 8, 8), np.int16), np.eye(4)), volume)
    volume.write_bytes(volume.read_bytes()[:600])
    with pytest.raises(CaseError, match=r"^ct\.nii: cut off, 600 bytes .*copy the file again$"):
        s3net_monai.segment(volume, bundle=lung)


def test_an_error_inside_a_step_is_a_case_error(
    volume: np.ndarray, lung: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        try:
            raise CaseError("the reason")
        except CaseError as error:
            raise RuntimeError("applying transform") from error

    monkeypatch.setattr("s3net_monai.api.infer_sample", fail)
    with pytest.raises(CaseError, match=r"^image 0 of the list: .*the reason$"):
        s3net_monai.segment([volume], bundle=lung, spacing=(1, 1, 1))


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


def test_nibabel_kinds_and_last_axes_come_back(volume: np.ndarray, lung: Bundle) -> None:
    image = nibabel.Nifti2Image(volume[..., None], OBLIQUE)
    image.header["cal_max"] = 300
    mask = s3net_monai.segment(image, bundle=lung).mask
    assert type(mask) is nibabel.Nifti2Image
    assert mask.shape == (*volume.shape, 1)
    assert mask.header["cal_max"] == 0
    np.testing.assert_array_equal(np.asanyarray(mask.dataobj)[..., 0], volume < -400.5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_tensors_of_any_precision_and_gray_images(dtype: torch.dtype, lung: Bundle, skin: Bundle) -> None:
    values = torch.full((4, 4, 4), -800.0, dtype=dtype, requires_grad=True)
    assert s3net_monai.segment(values, bundle=lung, spacing=(1, 1, 1)).mask.all()
    assert s3net_monai.segment(torch.full((1, 6, 5), 200), bundle=skin).mask.shape == (1, 6, 5)


def test_the_first_bad_image_of_a_list_is_named(lung: Bundle, volume: np.ndarray) -> None:
    with pytest.raises(CaseError, match=r"^image 1 of the list: ndarray: values of type bool found"):
        s3net_monai.segment([volume, volume > 0], bundle=lung, affine=OBLIQUE)


def test_a_low_consistency_is_a_warning(skin: Bundle) -> None:
    class TwoViews:
        def views(self, image: torch.Tensor, network: torch.nn.Module) -> list[torch.Tensor]:
            return [network(image), network(255 - image)]

    pixels = np.zeros((9, 7, 3), np.uint8)
    pixels[2:5, 3:6, 0] = 200
    result = s3net_monai.segment(pixels, bundle=replace(skin, inferer=TwoViews()))
    assert result.consistency < 0.8
    assert any("is below 0.8: review the mask" in warning for warning in result.warnings)


def test_folders_are_evaluated_by_their_names(lung: Bundle, volume: np.ndarray, tmp_path: Path) -> None:
    mask = s3net_monai.segment(nibabel.Nifti1Image(volume, OBLIQUE), bundle=lung).mask
    for folder, name in (("masks", "a_seg.nii.gz"), ("labels", "a.nii.gz")):
        (tmp_path / folder).mkdir()
        nibabel.save(mask, tmp_path / folder / name)
    evaluation = s3net_monai.evaluate(str(tmp_path / "masks"), str(tmp_path / "labels"))
    assert evaluation.summary()["dice"]["mean"] == 1.0


def test_an_overlay_with_an_unknown_key_is_refused(lung_bundle: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.json"
    overlay.write_text('{"spatial_sise": [64, 64]}')
    with pytest.raises(UsageError, match=r"overlay\.json: key 'spatial_sise' is not in inference\.json, and nothing"):
        s3net_monai.load_bundle("lung", bundle=lung_bundle, configs=str(overlay))
    overlay.write_text('{"width": 2, "network_def": "$torch.nn.Conv3d(1, @width, 1)"}')
    device = torch.device("cpu")
    with pytest.raises(UsageError, match="weights do not fit network_def"):  # the overlay itself is taken
        s3net_monai.load_bundle("lung", bundle=lung_bundle, configs=[overlay], device=device)
    overlay.write_text("{")
    with pytest.raises(UsageError, match=r"overlay\.json: not an overlay in JSON"):
        s3net_monai.load_bundle("lung", bundle=lung_bundle, configs=[overlay])
    with pytest.raises(UsageError, match="mode 'fast' is not known; give one of amortized, per-image"):
        s3net_monai.load_bundle("lung", bundle=lung_bundle, mode="fast")


def test_a_list_gives_a_list_in_its_order(skin: Bundle) -> None:
    dark, light = np.zeros((6, 5, 3), np.uint8), np.zeros((5, 6, 3), np.uint8)
    light[1:4, 1:5] = 255
    results = s3net_monai.segment([dark, light], bundle=skin)
    assert [int(result.mask.sum()) for result in results] == [0, 12]
    assert results[0].warnings == ("all voxels of the image have the same value", "the mask is empty")
    assert results[1].warnings == ()


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (np.zeros((4, 4, 4)), {}, "a volume without a geometry; give affine"),
        (np.zeros((4, 4, 4)), {"spacing": (1, 1)}, r"spacing \(1, 1\) found, 3 numbers above 0 in mm expected"),
        (np.zeros((4, 4, 4)), {"spacing": (1, 1, 0)}, "3 numbers above 0"),
        (np.zeros((4, 4, 4)), {"affine": np.zeros((4, 4))}, "not an invertible"),
        (np.zeros((4, 4, 4)), {"affine": np.eye(4), "spacing": (1, 1, 1)}, "give one of them"),
        (np.zeros((2, 3, 4, 5)), {"affine": np.eye(4)}, "shape 2x3x4x5 found, a volume"),
        (np.zeros((4, 0, 4)), {"affine": np.eye(4)}, "shape 4x0x4 found"),
        (np.zeros((4, 4, 4)), {"spacing": 1.0}, "spacing 1.0 found, 3 numbers above 0"),
        (np.zeros((4, 4, 4)), {"spacing": "abc"}, "spacing abc found, 3 numbers above 0"),
        (np.zeros((4, 4, 4)), {"affine": "x"}, "its affine is not a"),
        (np.zeros((4, 4, 4)), {"affine": np.diag([1.0, 1.0, 1.0, 5.0])}, "not an invertible"),
        (np.zeros((4, 4, 3), np.uint8), {"spacing": (1, 1, 1)}, "looks like a color image"),
        (torch.zeros(4, 4, 4).to_sparse(), {"spacing": (1, 1, 1)}, "a sparse or quantized tensor"),
        (SimpleITK.Image([4, 4], SimpleITK.sitkVectorUInt8, 3), {}, "3 components per pixel found, one expected"),
        (np.zeros((4, 4, 4), bool), {"affine": np.eye(4)}, "values of type bool found, numbers expected"),
        (MetaTensor(torch.zeros(4, 4, 4)), {"spacing": (1, 1, 1)}, "states its own geometry"),
        ({"image": 1}, {}, "dict: not a known kind of image, expected a path"),
    ],
)
def test_what_is_no_volume_is_refused(image: Any, options: dict[str, Any], message: str, lung: Bundle) -> None:
    with pytest.raises(CaseError, match=message):
        s3net_monai.segment(image, bundle=lung, **options)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 4)), r"shape 4x4x4 found, a color image \(X, Y, 3\) expected"),
        (np.full((4, 4, 3), 300.0), "values from 300 to 300 found, 0 to 255"),
        (np.full((4, 4, 3), np.nan), "values from nan to nan found"),
    ],
)
def test_what_is_no_color_image_is_refused(image: np.ndarray, message: str, skin: Bundle) -> None:
    with pytest.raises(CaseError, match=message):
        s3net_monai.segment(image, bundle=skin)


def test_a_request_that_makes_no_sense_is_refused(lung: Bundle, volume: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="task is missing; give task"):
        s3net_monai.segment(volume)
    with pytest.raises(UsageError, match="task 'skin' beside a bundle of 'lung'"):
        s3net_monai.segment(volume, "skin", bundle=lung)
    with pytest.raises(UsageError, match="task 'liver' is not known"):
        s3net_monai.segment(volume, "liver")
    for name in ("a.nii.gz", "b.nii.gz"):
        nibabel.save(nibabel.Nifti1Image(volume, OBLIQUE), tmp_path / name)
    with pytest.raises(CaseError, match=r"a.nii.gz#phase=2: no series of several phases found; leave '#phase=2' out"):
        s3net_monai.segment(f"{tmp_path}/a.nii.gz#phase=2", bundle=lung)
    with pytest.raises(CaseError, match="2 images found, one expected; give one path per image"):
        s3net_monai.segment(tmp_path, bundle=lung)
    with pytest.raises(UsageError, match="affine and spacing are for arrays"):
        s3net_monai.segment(tmp_path / "a.nii.gz", bundle=lung, spacing=(1, 1, 1))


def test_a_checkpoint_takes_the_place_of_the_weights(lung_bundle: Path, volume: np.ndarray, tmp_path: Path) -> None:
    state = torch.load(lung_bundle / "models" / "model.pt", weights_only=True)
    torch.save({**state, "0.bias": torch.tensor([0.0, 1000.0])}, tmp_path / "mine.pt")
    loaded = s3net_monai.load_bundle("lung", bundle=lung_bundle, checkpoint=tmp_path / "mine.pt", device="cpu")
    assert s3net_monai.segment(volume, bundle=loaded, affine=OBLIQUE).mask.all()
    with pytest.raises(UsageError, match=r"absent\.pt: no such checkpoint; check the path"):
        s3net_monai.load_bundle("lung", bundle=lung_bundle, checkpoint=tmp_path / "absent.pt")


def test_importing_the_package_loads_no_library() -> None:
    code = "import sys, s3net_monai; s3net_monai.__version__; print(any(n in sys.modules for n in ('torch', 'monai')))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output == "False\n"


def test_names_of_the_front_door() -> None:
    assert {"segment", "evaluate", "load_bundle", "Result"} <= set(dir(s3net_monai))
    with pytest.raises(AttributeError, match="no attribute 'segmnt'"):
        _ = s3net_monai.segmnt


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
