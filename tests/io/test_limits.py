"""Limits: large files are refused from their headers, before anything is expanded."""

from __future__ import annotations

import gzip
import struct
import zlib
from contextlib import nullcontext
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from pydicom.uid import DeflatedExplicitVRLittleEndian

from s3net_monai.inference.discovery.cases import Case, Kind
from s3net_monai.inference.run.validate_input import check_header
from s3net_monai.io import CaseError, limits
from s3net_monai.io.dicom.files import read_header
from s3net_monai.io.limits import check_capacity, check_pixels, check_voxels
from tests.helpers.ct_series import ct_slice


def case(path: Path, kind: Kind) -> Case:
    return Case(case_id=path.name, input=path, image=(path,), kind=kind)


def refusal(path: Path, kind: Kind) -> str:
    with pytest.raises(CaseError) as error:
        check_header(case(path, kind))
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(path.name)
    return str(error.value)


def nifti(path: Path, shape: tuple[int, ...], **fields: float) -> Path:
    """A header that declares ``shape`` of int16, and four bytes of voxels."""
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape(shape)
    header["magic"] = b"n+1"
    header["vox_offset"] = 352
    for name, value in fields.items():
        header[name] = value
    content = header.binaryblock + bytes(4 + 4)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def png(path: Path, side: int) -> Path:
    """A header of side x side gray pixels, without the pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, data, b"IEND")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


def test_large_images_pass() -> None:
    check_voxels("a.nii", (1024, 1024, 1500))
    check_pixels("a.png", 10_000, 10_000)
    check_capacity("a.nii.gz", needed=10**9, stored=10**6, compressed=True)


def test_images_beyond_the_limits_are_refused() -> None:
    with pytest.raises(CaseError, match=r"a\.nii: 2048x2048x2048 voxels, beyond the limit"):
        check_voxels("a.nii", (2048, 2048, 2048))
    with pytest.raises(CaseError, match=r"a\.png: 20000x10000 pixels, beyond the limit"):
        check_pixels("a.png", 20_000, 10_000)
    with pytest.raises(CaseError, match=r"a\.nii: cut off"):
        check_capacity("a.nii", needed=1001, stored=1000, compressed=False)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_header_beyond_the_limits(tmp_path: Path, suffix: str) -> None:
    assert "beyond the limit" in refusal(nifti(tmp_path / f"a{suffix}", (30000, 30000, 30000)), "volume")
    assert "cut off" in refusal(nifti(tmp_path / f"b{suffix}", (1000, 1000, 1000)), "volume")
    assert "voxels begin at byte" in refusal(nifti(tmp_path / f"c{suffix}", (2, 2, 2), vox_offset=1e12), "volume")


def test_png_header_beyond_the_limits(tmp_path: Path) -> None:
    for side in (12_300, 40_000):
        assert "limit" in refusal(png(tmp_path / "a.png", side), "image_2d")
    check_header(case(png(tmp_path / "a.png", 10_000), "image_2d"))


def test_pages_and_foreign_formats_are_refused(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (4, 4)) for _ in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert "3 pages found" in refusal(tmp_path / "a.tif", "image_2d")
    pages[0].save(tmp_path / "b.eps")
    (tmp_path / "b.eps").rename(tmp_path / "b.png")
    assert "not readable as a 2-D image" in refusal(tmp_path / "b.png", "image_2d")


def test_deflated_dicom_is_counted_while_expanding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = ct_slice(np.zeros((512, 512), dtype=np.uint16), np.zeros(3))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = tmp_path / "a.dcm"
    dataset.save_as(path, enforce_file_format=True)
    assert read_header(path).dataset.Rows == 512
    monkeypatch.setattr(limits, "MAX_DEFLATED_BYTES", 400_000)
    with pytest.raises(CaseError, match=r"a\.dcm: expands beyond the limit"):
        read_header(path)
    monkeypatch.setattr(limits, "MAX_DEFLATED_BYTES", 600_000)
    assert read_header(path).dataset.Rows == 512


@pytest.mark.parametrize(
    ("shape", "spacing", "passes"),
    [
        ((96, 96, 16), (3.75, 3.75, 7.5), True),
        ((96, 96, 16), (0.375, 0.375, 0.75), False),
        ((96, 96, 16), (3750, 3750, 7500), False),
        ((128, 128, 1), (0.4, 0.4, 8), True),
        ((48, 40, 4), (1, 1, 1), True),
        ((48, 40, 4), (0.99, 1, 1), False),
        ((4000, 3000, 1), (1, 1, 1), True),
        ((4000, 3000, 2), (1, 1, 1), False),
    ],
)
def test_extents(
    shape: tuple[int, ...], spacing: tuple[float, ...], passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MIN_EXTENT_MM", 50.0)
    with nullcontext() if passes else pytest.raises(CaseError, match="50 to 3000 mm expected"):
        limits.check_extent("a", shape, np.diag([*spacing, 1.0]))
