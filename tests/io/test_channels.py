"""Several files of one image are its channels, each of them checked, on one grid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from monai.transforms import EnsureChannelFirst, LoadImage

from s3net_monai.io import CaseError, NiftiReader, VolumeReader
from tests.helpers.nifti_headers import SHEARED, UPRIGHT, save_nifti


@pytest.fixture
def array() -> np.ndarray:
    return np.arange(20 * 16 * 12, dtype=np.int16).reshape(20, 16, 12)


def save_nrrd(path: Path, array: np.ndarray, affine: np.ndarray) -> Path:
    image = SimpleITK.GetImageFromArray(array.T)
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    lps = np.diag([-1.0, -1, 1]) @ affine[:3]
    image.SetSpacing(steps.tolist())
    image.SetDirection((lps[:, :3] / steps).ravel().tolist())
    image.SetOrigin(lps[:, 3].tolist())
    SimpleITK.WriteImage(image, str(path))
    return path


def save_as_nifti(path: Path, array: np.ndarray, affine: np.ndarray) -> Path:
    return save_nifti(path, array, sform=(affine, 1), pixdim=[4, 4, 8])


@pytest.mark.parametrize(
    ("reader", "save", "suffix"),
    [(NiftiReader, save_as_nifti, ".nii.gz"), (VolumeReader, save_nrrd, ".nrrd")],
    ids=["NIfTI", "NRRD"],
)
def test_channels(
    reader: Callable[..., Any], save: Callable[..., Path], suffix: str, array: np.ndarray, tmp_path: Path
) -> None:
    paths = [tmp_path / f"a_{channel:04d}{suffix}" for channel in range(2)]
    for path, values in zip(paths, (array, array[::-1] + 7), strict=True):
        save(path, values, UPRIGHT)
    load = LoadImage(reader=reader(), image_only=True)
    image = EnsureChannelFirst()(load(paths))
    np.testing.assert_array_equal(image.numpy(), [array, array[::-1] + 7])
    np.testing.assert_allclose(image.affine, UPRIGHT, atol=1e-5)
    shifted = UPRIGHT.copy()
    shifted[0, 3] += 2  # half a voxel
    save(paths[1], array, shifted)
    with pytest.raises(CaseError, match=r"a_0001\.n.*: another grid than that of a_0000\.n"):
        load(paths)
    save(paths[1], array[:-1], UPRIGHT)
    with pytest.raises(CaseError, match="another grid"):
        load(paths)


def test_each_channel_is_checked(array: np.ndarray, tmp_path: Path) -> None:
    """MONAI's reader stacks sheared files without a word."""
    paths = [
        save_nifti(tmp_path / f"a_{channel:04d}.nii.gz", array, sform=(SHEARED, 1), pixdim=[4, 4, 8])
        for channel in range(2)
    ]
    with pytest.raises(CaseError, match="sheared by 12"):
        LoadImage(reader=NiftiReader(), image_only=True)(paths)
    image = LoadImage(reader=NiftiReader(allow=["tilt"]), image_only=True)(paths)
    assert len([note for note in image.meta["notes"] if "resampled" in note]) == 1
    meters = [
        save_nifti(tmp_path / f"b_{channel}.nii", array, sform=(UPRIGHT / 1e3, 1), pixdim=[0.004, 0.004, 0.008])
        for channel in range(2)
    ]
    for path in meters:
        content = bytearray(path.read_bytes())
        content[123] = 1  # xyzt_units: meter
        path.write_bytes(content)
    image = LoadImage(reader=NiftiReader(), image_only=True)(meters)
    np.testing.assert_allclose(np.diag(image.affine)[:3], [-4, 4, 8], rtol=1e-5)
