"""Labels are checked from their headers as images are, and resampled where their image is."""

from __future__ import annotations

import gzip
from pathlib import Path

import nrrd
import numpy as np
import pytest
import SimpleITK
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged
from PIL import Image

from s3net_monai.io import LabelReader, NiftiReader, VolumeReader, limits
from s3net_monai.io.label_maps.read_label import read_label
from s3net_monai.transforms import LabelOnImaged
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.messages import causes
from tests.helpers.nifti_headers import SHEARED, UPRIGHT, save_nifti


def test_a_small_file_of_a_large_label(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "a.nii.gz", np.zeros((2, 2, 2), np.uint8), sform=(UPRIGHT, 1), pixdim=[4, 4, 8])
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[42:48] = np.array([30000, 30000, 3000], "<i2").tobytes()  # dim
    path.write_bytes(gzip.compress(content))
    with pytest.raises(CaseError, match=r"a\.nii\.gz: 30000x30000x3000 voxels, beyond the limit"):
        read_label(path)
    content[42:48] = np.array([1000, 1000, 100], "<i2").tobytes()
    path.write_bytes(gzip.compress(content))
    with pytest.raises(CaseError, match=r"a\.nii\.gz: cut off"):
        read_label(path)


def test_a_label_is_read_to_its_checksum(tmp_path: Path) -> None:
    path = save_nifti(
        tmp_path / "a.nii.gz",
        np.eye(60, dtype=np.uint8)[..., None].repeat(40, axis=2),
        sform=(UPRIGHT, 1),
        pixdim=[4, 4, 8],
    )
    content = bytearray(path.read_bytes())
    content[-6] ^= 1
    path.write_bytes(content)
    with pytest.raises(CaseError, match=r"a\.nii\.gz: (damaged or cut off|not readable as NIfTI) \(.*\); copy"):
        read_label(path)


def test_the_pixels_of_a_2d_label_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(np.ones((9, 8), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setattr(limits, "MAX_PIXELS", 9 * 8 - 1)
    with pytest.raises(CaseError, match=r"a\.png: .*beyond the limit"):
        read_label(tmp_path / "a.png")


def test_gzip_under_another_name(tmp_path: Path) -> None:
    path = save_nifti(tmp_path / "a.nii.gz", np.zeros((9, 8, 7), np.uint8), sform=(UPRIGHT, 1), pixdim=[4, 4, 8])
    path.rename(tmp_path / "b.nii")
    with pytest.raises(CaseError, match=r"b\.nii: is gzip-compressed, which its name does not say; rename it"):
        read_label(tmp_path / "b.nii")


def test_a_small_file_of_a_large_segmentation(tmp_path: Path) -> None:
    path = tmp_path / "a.seg.nrrd"
    nrrd.write(str(path), np.ones((4, 4, 4), np.uint8), {"encoding": "gzip"})
    content = path.read_bytes()
    path.write_bytes(content.replace(b"sizes: 4 4 4", b"sizes: 9999 9999 9999"))
    with pytest.raises(CaseError, match=r"a\.seg\.nrrd: 9999x9999x9999 voxels, beyond the limit"):
        read_label(path)
    path.write_bytes(content.replace(b"sizes: 4 4 4", b"sizes: 999 999 999"))
    with pytest.raises(CaseError, match=r"a\.seg\.nrrd: cut off"):
        read_label(path)
    path.write_bytes(content.replace(b"encoding:", b"data file: ../b.raw\nencoding:"))
    with pytest.raises(CaseError, match="its voxels are in another file"):
        read_label(path)


def save_sheared(path: Path, array: np.ndarray) -> Path:
    if path.suffix != ".nrrd":
        return save_nifti(path, array, sform=(SHEARED, 1), pixdim=[4, 4, 8])
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array.T), str(path))
    lps = np.diag([-1.0, -1, 1]) @ SHEARED[:3]
    vectors = " ".join(f"({','.join(f'{value:.9g}' for value in lps[:, axis])})" for axis in range(3))
    lines = path.read_bytes().split(b"\n")
    lines = [f"space directions: {vectors}".encode() if b"space directions" in line else line for line in lines]
    path.write_bytes(b"\n".join(lines))
    return path


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_the_label_of_a_sheared_image_is_resampled_with_it(suffix: str, tmp_path: Path) -> None:
    """A class is a bright box in the image, so that both must cover the same voxels, and values do not mix."""
    classes = np.zeros((20, 18, 8), np.uint8)
    classes[4:12, 4:12, 2:6], classes[12:16, 4:12, 2:6] = 3, 1
    for name, array in (("image", classes.astype(np.float32) * 100), ("label", classes)):
        save_sheared(tmp_path / f"{name}{suffix}", array)
    allow = ["tilt"]
    steps = Compose(
        [
            LoadImaged("image", reader=[NiftiReader(allow), VolumeReader(allow)]),
            LoadImaged("label", reader=[LabelReader(binary=False, allow=allow)]),
            EnsureChannelFirstd(["image", "label"]),
            LabelOnImaged("label"),
        ]
    )
    sample = steps({name: str(tmp_path / f"{name}{suffix}") for name in ("image", "label")})
    image, label = sample["image"].numpy(), sample["label"].numpy()
    assert image.shape == label.shape != (1, *classes.shape)
    assert np.unique(label).tolist() == [0, 1, 3]
    assert np.abs(image / 100 - label).mean() < 0.1
    assert label.sum() == pytest.approx(classes.sum(), rel=0.05)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_a_label_without_allow_keeps_its_stored_grid(suffix: str, tmp_path: Path) -> None:
    label = read_label(save_sheared(tmp_path / f"a{suffix}", np.ones((20, 18, 8), np.uint8)))
    assert label.array.shape == (20, 18, 8)
    np.testing.assert_allclose(label.affine[:3, :3], SHEARED[:3, :3], atol=1e-5)


def test_a_refusal_is_not_its_own_cause(tmp_path: Path) -> None:
    """A chain that returns to its beginning has no end, and whoever walks along it hangs."""
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "a_mask.png")
    with pytest.raises(CaseError) as refusal:
        read_label(tmp_path / "a_mask.png")
    assert refusal.value.__cause__ is not refusal.value
    own = ValueError("a")
    own.__cause__ = own
    assert list(causes(own)) == [own]
