"""Python API: what cannot be segmented is refused in one line."""

from __future__ import annotations

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
from s3net_monai.inference import Bundle
from s3net_monai.utils.errors import CaseError, UsageError
from tests.helpers.affines import OBLIQUE

DEEP_JSON = "[" * 100_000 + "]" * 100_000  # more than the parser of Python descends into


def test_a_damaged_file_is_named_in_one_line(skin: Bundle, lung: Bundle, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "whole.png")
    cut = tmp_path / "cut.png"
    cut.write_bytes((tmp_path / "whole.png").read_bytes()[:1500])
    with pytest.raises(CaseError, match=r"^cut\.png: damaged or cut off.*; copy the file again$"):
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


def test_the_first_bad_image_of_a_list_is_named(lung: Bundle, volume: np.ndarray) -> None:
    with pytest.raises(CaseError, match=r"^image 1 of the list: ndarray: values of type bool found"):
        s3net_monai.segment([volume, volume > 0], bundle=lung, affine=OBLIQUE)


def test_an_overlay_with_an_unknown_key_is_refused(lung_bundle: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.json"
    overlay.write_text('{"spatial_sise": [64, 64]}')
    with pytest.raises(UsageError, match=r"overlay\.json: key 'spatial_sise' is not in inference\.json, and nothing"):
        s3net_monai.load_bundle("lung", bundle=lung_bundle, configs=str(overlay))
    overlay.write_text('{"width": 2, "network_def": "$torch.nn.Conv3d(1, @width, 1)"}')
    device = torch.device("cpu")
    with pytest.raises(UsageError, match="weights do not fit network_def"):  # the overlay itself is taken
        s3net_monai.load_bundle("lung", bundle=lung_bundle, configs=[overlay], device=device)
    overlay.write_text(DEEP_JSON)
    with pytest.raises(UsageError, match=r"overlay\.json: not an overlay in JSON"):
        s3net_monai.load_bundle("lung", bundle=lung_bundle, configs=[overlay])
    overlay.write_text("{")
    with pytest.raises(UsageError, match=r"overlay\.json: not an overlay in JSON"):
        s3net_monai.load_bundle("lung", bundle=lung_bundle, configs=[overlay])
    with pytest.raises(UsageError, match="mode 'fast' is not known; give one of amortized, per-image"):
        s3net_monai.load_bundle("lung", bundle=lung_bundle, mode="fast")


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
