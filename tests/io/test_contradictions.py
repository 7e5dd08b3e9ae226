"""Headers of volumes of which two fields contradict each other, or the length of the file, are refused or noted."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.faults import sound_files
from benchmarks.faults.header_edits import Change, with_value
from benchmarks.faults.sound_files import recompressed
from s3net_monai.io import CaseError, LabelReader
from tests.helpers.nifti_headers import UPRIGHT, save_nifti
from tests.helpers.reading import loaded, refusal


def nifti(path: Path, change: Change, codes: tuple[int, int] = (1, 1)) -> Path:
    data = sound_files.nifti(path.name, codes=codes)[path.name]
    path.write_bytes(recompressed(data, change) if path.suffix == ".gz" else change(data))
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize(
    ("layout", "offset", "value", "message"),
    [
        ("<h", 42, 39, "holds more than the voxels of its header"),  # dim[1] of 40
        ("<h", 46, 11, "holds more than the voxels of its header"),  # dim[3] of 12
        ("<h", 46, 13, "33280 bytes"),
        ("<h", 70, 2, "holds more than the voxels of its header"),  # datatype: uint8, with 16 bits each
        ("<h", 70, 16, "61440 bytes|cut off"),
        ("<f", 80, 3.0, "by pixdim and of 1.5x2x5 by the sform"),
        ("<f", 108, 368.0, "30720 bytes|cut off"),
        ("<f", 108, 0.0, "within the header of 348 bytes"),
        ("<f", 112, float("inf"), "plausible numbers expected"),  # scl_slope
        ("<f", 112, 1e-30, "plausible numbers expected"),
    ],
)
def test_nifti(name: str, layout: str, offset: int, value: float, message: str, tmp_path: Path) -> None:
    path = nifti(tmp_path / name, with_value(layout, offset, value))
    assert re.search(message, refusal(path)) or "cut off" in refusal(path)
    if "pixdim" not in message:  # the position of a label is that of its image
        with pytest.raises(CaseError, match=f"^{name}: "):
            LabelReader().get_data([path])


@pytest.mark.parametrize(
    ("layout", "offset", "value", "note"),
    [
        ("<h", 72, 8, "bitpix is 8, but a voxel of its datatype has 16 bits"),
        ("<f", 268, -33.0, "its qform puts it up to 3 mm elsewhere: the sform counts"),  # qoffset_x of -30
        ("<f", 292, -26.0, "its qform puts it up to 4 mm elsewhere: the sform counts"),  # srow_x[3] of -30
        ("<f", 260, 2.0, "its qform is not usable: the sform counts"),  # quatern_c beyond 1
        ("<f", 76, 5.0, "its qform is not usable: the sform counts"),  # pixdim[0], neither 1 nor -1
    ],
)
def test_nifti_notes(layout: str, offset: int, value: float, note: str, tmp_path: Path) -> None:
    sound = loaded(nifti(tmp_path / "sound.nii", lambda data: data))
    array, notes = loaded(nifti(tmp_path / "a.nii", with_value(layout, offset, value)))
    np.testing.assert_array_equal(array, sound[0])
    assert sound[1] == []
    assert any(note in line for line in notes), notes


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("quaternion", [(5, 0, 0), (0.7072, 0.7072, 0)])  # the second rounded to a length above 1
def test_a_quaternion_that_is_no_rotation_is_refused_where_it_counts(
    name: str, quaternion: tuple[float, ...], tmp_path: Path
) -> None:
    def change(data: bytes) -> bytes:
        return data[:256] + struct.pack("<3f", *quaternion) + data[268:]  # quatern_b, c, d

    path = nifti(tmp_path / name, change, codes=(0, 1))
    assert "is longer than 1, so it is no rotation; correct it, or state" in refusal(path)
    with pytest.raises(CaseError, match=f"^{name}: its quaternion"):
        LabelReader().get_data([path])


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_complex_voxels_are_refused(name: str, tmp_path: Path) -> None:
    voxels = np.full((6, 5, 4), 1 + 1j, np.complex64)
    path = save_nifti(tmp_path / name, voxels, sform=(UPRIGHT, 1), pixdim=[4, 4, 8])
    assert "complex voxels found, one real value each expected; save their magnitude" in refusal(path)
    with pytest.raises(CaseError, match="complex voxels"):
        LabelReader().get_data([path])


@pytest.mark.parametrize("code", [0, 2, 4])
def test_a_qform_that_agrees_is_not_noted(code: int, tmp_path: Path) -> None:
    assert loaded(nifti(tmp_path / "a.nii", lambda data: data, codes=(code, 1)))[1] == []


def test_few_bytes_behind_the_voxels_are_padding(tmp_path: Path) -> None:
    sound = loaded(nifti(tmp_path / "sound.nii", lambda data: data))[0]
    for name in ("a.nii", "a.nii.gz"):
        array, notes = loaded(nifti(tmp_path / name, lambda data: data + bytes(16)))
        np.testing.assert_array_equal(array, sound)
        assert notes == ["16 bytes after the voxels left out"]


def edited(path: Path, old: str, new: str, **options: Any) -> Path:
    for name, data in sound_files.itk_volume(path.name, **options).items():
        changed = re.sub(f"(?m)^{old}".encode(), new.encode(), data, count=1) if name == path.name else data
        assert changed != data or name != path.name
        (path.parent / name).write_bytes(changed)
    return path


@pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("DimSize = 40 32 12", "DimSize = 40 32 11", "28160 expected"),
        ("DimSize = 40 32 12", "DimSize = 40 33 12", "31680"),
        ("ElementType = MET_SHORT", "ElementType = MET_CHAR", "15360 expected"),
        ("Offset", "Position = 1 2 3\nOffset", "Offset and Position differ"),
        ("Offset", "Origin = 1 2 3\nOffset", "Offset and Origin differ"),
        ("Offset", "Rotation = 0 1 0 1 0 0 0 0 1\nOffset", "TransformMatrix and Rotation differ"),
        ("Offset", "ElementByteOrderMSB = True\nOffset", "BinaryDataByteOrderMSB and ElementByteOrderMSB differ"),
        ("Offset", "HeaderSize = 3\nOffset", "HeaderSize 3 contradicts|expected|damaged"),
    ],
)
def test_meta_image(name: str, compress: bool, old: str, new: str, message: str, tmp_path: Path) -> None:
    assert re.search(message, refusal(edited(tmp_path / name, old, new, compress=compress)))


def test_the_stated_length_of_a_compressed_meta_image(tmp_path: Path) -> None:
    path = edited(tmp_path / "a.mha", r"CompressedDataSize = (\d+)", r"CompressedDataSize = \g<1>0", compress=True)
    assert "expected by CompressedDataSize" in refusal(path)


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        ("Offset", "ElementSize = 1.5 2 4\nOffset", "ElementSpacing and ElementSize differ: the spacing counts"),
        ("AnatomicalOrientation = RAI", "AnatomicalOrientation = LAI", "AnatomicalOrientation LAI contradicts"),
        ("TransformMatrix = 1 0 0 0 1", "TransformMatrix = 1 0 0 0 -1", "AnatomicalOrientation RAI contradicts"),
    ],
)
def test_meta_image_notes(old: str, new: str, note: str, tmp_path: Path) -> None:
    notes = loaded(edited(tmp_path / "a.mha", old, new))[1]
    assert len(notes) == 1
    assert note in notes[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Offset", "Position = -30 20.0 40\nOffset"),
        ("Offset", "ElementSize = 1.5 2 5\nOffset"),
        ("AnatomicalOrientation = RAI", r"AnatomicalOrientation = ???"),
    ],
)
def test_what_meta_image_states_twice_alike_is_accepted(old: str, new: str, tmp_path: Path) -> None:
    array, notes = loaded(edited(tmp_path / "a.mha", old, new))
    np.testing.assert_array_equal(array, sound_files.voxels())
    assert notes == []


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("name", ["a.nrrd", "a.nhdr"])
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sizes: 40 32 12", "sizes: 40 32 11", "28160 expected"),
        ("type: short", "type: signed char", "15360 expected"),
        ("dimension: 3", "dimension: 4", "not readable"),
        ("endian", "number: 7\nendian", "'number' and 'sizes'"),
        ("endian", "spacings: 1 2 3\nendian", "not readable"),
        ("endian", "space dimension: 3\nendian", "not readable"),
        ("space directions: .*$", "space directions: (1.5,0,0) (0,2,0)", "2 space directions, but 3 sizes|voxel size"),
        ("endian: little", "endian: middle", "little or big expected"),
        ("encoding: .*$", "encoding: bzip2", "raw or gzip expected"),
    ],
)
def test_nrrd(name: str, compress: bool, old: str, new: str, message: str, tmp_path: Path) -> None:
    assert re.search(message, refusal(edited(tmp_path / name, old, new, compress=compress)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sizes: 40 32 12", "sizes: 40 32 11", "14080 expected"),
        ("dimension", "number: 7\ndimension", "'number' and 'sizes'"),
        ("dimension: 3", "dimension: 4", "3 sizes, but dimension 4"),
        ("space directions: .*$", "space directions: (1,0,0) (0,1,0) (0,0,1) (0,0,1)", "4 space directions, but 3"),
        ("space directions: .*$", "space directions: (1,0,0) (0,1,0) (0,0,nan)", "not of numbers"),
        ("space directions: .*$", "space directions: (1,0,0) (0,1,0) (0,1,0)", "not invertible"),
    ],
)
def test_segmentation(old: str, new: str, message: str, tmp_path: Path) -> None:
    ((name, data),) = sound_files.segmentation().items()
    changed = re.sub(f"(?m)^{old}".encode(), new.encode(), data, count=1)
    assert changed != data
    (tmp_path / name).write_bytes(changed)
    with pytest.raises(CaseError, match=message):
        LabelReader(binary=True).get_data([tmp_path / name])
