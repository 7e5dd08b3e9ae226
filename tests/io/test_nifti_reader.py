"""The reader of NIfTI gives nibabel's own affine to MONAI, and every config uses it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from monai.transforms import LoadImage

from data_prep.checks import check_cases
from s3net_monai.data.datalist import DatalistCase
from s3net_monai.io import CaseError, NiftiReader, upright_gray
from s3net_monai.io.nifti_reader import load_nifti
from s3net_monai.utils.errors import DataError
from tests.helpers.nifti_headers import UPRIGHT, save_nifti

BUNDLES = Path(__file__).parents[2] / "bundle"


@pytest.fixture
def array() -> np.ndarray:
    return np.arange(20 * 16 * 12, dtype=np.int16).reshape(20, 16, 12)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("pixdim", [[4.0002, 4, 8], [4, 4, 8]])
def test_the_affine_is_the_sform(kind: Any, pixdim: list[float], array: np.ndarray, tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "a.nii.gz", array, sform=(UPRIGHT, 1), pixdim=pixdim, kind=kind)
    image = LoadImage(reader=["NibabelReader", NiftiReader()], image_only=True)(path)
    np.testing.assert_array_equal(image.numpy(), array)
    np.testing.assert_allclose(image.affine, UPRIGHT, rtol=1e-7)
    np.testing.assert_allclose(image.meta["original_affine"], nibabel.load(path).affine)
    assert "notes" not in image.meta


def test_scale_and_last_axes(array: np.ndarray, tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "a.nii", array[..., None], qform=(UPRIGHT, 1), scl_slope=2, scl_inter=-100)
    image = LoadImage(reader=NiftiReader(), image_only=True)(path)
    np.testing.assert_array_equal(image.numpy(), array * 2 - 100)


def test_a_slice_without_third_axis(array: np.ndarray, tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(array[:, :, 0], UPRIGHT), tmp_path / "a.nii.gz")
    image = LoadImage(reader=NiftiReader(), image_only=True)(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(image.numpy(), array[:, :, 0])


def test_other_formats_are_left_to_other_readers(tmp_path: Path) -> None:
    assert NiftiReader().verify_suffix(["a.NII.GZ"])
    assert not NiftiReader().verify_suffix("a.nrrd")
    with pytest.raises(ValueError, match="not a NIfTI file"):
        NiftiReader().read(tmp_path / "a.png")
    with pytest.raises(ValueError, match="not known"):
        NiftiReader(allow=["everything"])


def test_a_bad_header_ends_the_load(array: np.ndarray, tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "a.nii", array, sform=(UPRIGHT, 1), pixdim=[1, 1, 1])
    with pytest.raises(CaseError, match="by pixdim and of 4x4x8 by the sform"):
        LoadImage(reader=["NibabelReader", NiftiReader()], image_only=True)(path)


def test_prepare_names_what_is_wrong_with_a_header(array: np.ndarray, tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "a.nii", array, sform=(UPRIGHT, 1), pixdim=[1, 1, 1])
    with pytest.raises(DataError, match="by pixdim and of 4x4x8 by the sform"):
        check_cases([DatalistCase(case_id="a", patient="a", split="training", image=path, label=None)], num_classes=2)


def loaders(node: Any) -> Iterator[list[dict[str, Any]]]:
    """Yield the readers of every ``LoadImaged`` of a config."""
    if isinstance(node, dict):
        if node.get("_target_") == "LoadImaged":
            yield node.get("reader", [])
        for value in node.values():
            yield from loaders(value)
    elif isinstance(node, list):
        for value in node:
            yield from loaders(value)


@pytest.mark.parametrize("config", sorted(BUNDLES.glob("*/configs/*.json")), ids=lambda path: "/".join(path.parts[-3:]))
def test_every_config_reads_nifti_by_it(config: Path) -> None:
    """Images of skin are never NIfTI; everything else may be. Labels have a reader of their own."""
    for readers in loaders(json.loads(config.read_text())):
        names = [reader["_target_"].rpartition(".")[2] for reader in readers]
        assert "NibabelReader" not in names
        assert {"NiftiReader", "LabelReader", "DicomVLImageReader"} & set(names)


def test_pictures_go_on_to_the_other_readers(tmp_path: Path) -> None:
    from monai.data import PILReader
    from PIL import Image

    Image.new("L", (60, 40), 7).save(tmp_path / "a.png")
    image = LoadImage(reader=[PILReader(converter=upright_gray), NiftiReader()], image_only=True)(tmp_path / "a.png")
    assert image.shape == (60, 40)


@pytest.mark.parametrize("damage", ["bit", "checksum", "trailer"])
def test_a_damaged_stream_is_refused_though_its_voxels_can_be_read(
    damage: str, array: np.ndarray, tmp_path: Path
) -> None:
    path = save_nifti(tmp_path / "a.nii.gz", array, sform=(UPRIGHT, 1), pixdim=[4, 4, 8])
    content = bytearray(path.read_bytes())
    if damage == "trailer":
        del content[-8:]
    else:
        content[len(content) // 2 if damage == "bit" else -6] ^= 1
    path.write_bytes(content)
    with pytest.raises(CaseError, match=r"a\.nii\.gz: (damaged or cut off|not readable as NIfTI) \(.*\); copy"):
        load_nifti(path)


def test_a_stream_that_goes_on_is_refused(array: np.ndarray, tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "a.nii.gz", array, sform=(UPRIGHT, 1), pixdim=[4, 4, 8])
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bytes(2000)))
    with pytest.raises(CaseError, match="holds more than the voxels of its header"):
        load_nifti(path)
