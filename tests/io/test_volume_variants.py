"""NRRD and MetaImage as other programs write them, and headers that only seem to place the voxels."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK

from s3net_monai.io import CaseError, limits
from s3net_monai.io.label_maps.segments import read_seg_nrrd
from s3net_monai.io.nifti_reader import load_nifti
from s3net_monai.io.volume_header import read_volume_header
from s3net_monai.io.volume_reader import load_volume
from s3net_monai.utils import scratch

VOXELS = np.arange(1, 4001, dtype="<i2").reshape(20, 20, 10, order="F")
RAW = VOXELS.tobytes("F")
DEFLATED = zlib.compress(RAW)
AFFINE = np.array([[-3, 0, 0, -7], [0, -3, 0, -8], [0, 0, 6, 9], [0, 0, 0, 1.0]])
NRRD = """NRRD0005
type: short
dimension: 3
space: left-posterior-superior
sizes: 20 20 10
space directions: (3,0,0) (0,3,0) (0,0,6)
kinds: domain domain domain
endian: little
encoding: raw
space origin: (7,8,9)

"""
META = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = False
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = 7 8 9
CenterOfRotation = 0 0 0
ElementSpacing = 3 3 6
DimSize = 20 20 10
ElementType = MET_SHORT
ElementDataFile = LOCAL
"""
COMPRESSED = META.replace("CompressedData = False", f"CompressedData = True\nCompressedDataSize = {len(DEFLATED)}")


def write(path: Path, header: str, *changes: tuple[str, str], data: bytes = RAW) -> Path:
    for old, new in changes:
        assert old in header
        header = header.replace(old, new, 1)
    path.write_bytes(header.encode() + data)
    return path


def check(path: Path) -> list[str]:
    """Compare a file to the voxels and the affine, and return its notes."""
    array, affine, notes = load_volume(path)
    np.testing.assert_array_equal(array, VOXELS)
    np.testing.assert_allclose(affine, AFFINE)
    return [note for note in notes if "orientation" not in note]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Offset = 7 8 9", "Offset = -12,5 7,25 3,5"),
        ("Offset = 7 8 9", "Offset = nan 0 0"),
        ("Offset = 7 8 9", "Offset = abc 0 0"),
        ("Offset = 7 8 9", "Offset = 0 0 inf"),
        ("Offset = 7 8 9", "Offset = 1_0 0 0"),
        ("Offset = 7 8 9", "Position = 7 8 9mm"),
        ("Offset = 7 8 9", "Offset = 7 8 1e999"),
        ("0 0 0 1\n", "0 0 0 1x\n"),
        ("0 0 0 1\n", "0 0 0 nan\n"),
    ],
)
def test_a_position_is_of_numbers(old: str, new: str, tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"a\.mha: damaged header \(\w+ is not of numbers\)"):
        read_volume_header(write(tmp_path / "a.mha", META, (old, new)))


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd", "a.nii"])
@pytest.mark.parametrize("off", [False, True])
def test_a_position_is_that_of_a_patient(name: str, off: bool, tmp_path: Path) -> None:
    far = f"{limits.MAX_POSITION_MM * (1.01 if off else 0.99):.0f}"
    if name == "a.mha":
        write(tmp_path / name, META, ("Offset = 7", f"Offset = {far}"))
    elif name == "a.nrrd":
        write(tmp_path / name, NRRD, ("(7,8,9)", f"({far},8,9)"))
    else:
        affine = AFFINE.copy()
        affine[0, 3] = float(far)
        nibabel.save(nibabel.Nifti1Image(VOXELS, affine), tmp_path / name)
    load: Any = load_nifti if name == "a.nii" else load_volume
    if not off:
        load(tmp_path / name)
        return
    with pytest.raises(CaseError, match="more than 100 m off the origin"):
        load(tmp_path / name)


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".mha", ".mhd"])
@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_64_bit_integers_of_itk(suffix: str, dtype: Any, tmp_path: Path) -> None:
    image = SimpleITK.GetImageFromArray(VOXELS.T.astype(dtype))
    image.SetSpacing((3, 3, 6))
    SimpleITK.WriteImage(image, str(tmp_path / f"a{suffix}"))
    array = load_volume(tmp_path / f"a{suffix}")[0]
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, VOXELS)


@pytest.mark.parametrize(
    "name", ["longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"]
)
def test_names_of_64_bit_integers(name: str, tmp_path: Path) -> None:
    check(write(tmp_path / "a.nrrd", NRRD, ("short", name), data=VOXELS.astype("<i8").tobytes("F")))
    if name not in ("signed long long", "signed long long int"):
        unsigned = "unsigned " + name if "long " in name else "u" + name
        check(write(tmp_path / "b.nrrd", NRRD, ("short", unsigned), data=VOXELS.astype("<u8").tobytes("F")))


@pytest.mark.parametrize("name", ["MET_LONG", "MET_ULONG"])
def test_long_of_meta_image_has_four_bytes(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.mha", META, ("MET_SHORT", name), data=VOXELS.astype("<i4").tobytes("F"))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))).T, VOXELS)
    check(path)


@pytest.mark.parametrize(
    "line",
    [
        *("Comment = Größe 画像 à", "Comment = a\tb", "Comment = " + "x" * 5000, "a:b = x", "DICOM (0008) = y"),
        *("k/k = z", "Comment = a\nComment = b", "", "x = 1 = 2"),
    ],
)
@pytest.mark.parametrize("first", [False, True])
def test_any_text_in_meta_image(line: str, first: bool, tmp_path: Path) -> None:
    place = "ObjectType" if first else "DimSize"
    assert check(write(tmp_path / "a.mha", META, (place, f"{line}\n{place}"))) == []


@pytest.mark.parametrize("line", ["content: Größe à 画像", "content: a\tb", "a b:=Größe", "a:=b: c", "# à\t"])
def test_any_text_in_nrrd(line: str, tmp_path: Path) -> None:
    assert check(write(tmp_path / "a.nrrd", NRRD, ("type", f"{line}\ntype"))) == []


def test_tabs_between_words(tmp_path: Path) -> None:
    check(write(tmp_path / "a.nrrd", NRRD, ("20 20 10", "20\t20 10\t")))
    check(write(tmp_path / "a.mha", META, ("NDims = 3", "NDims\t=\t3"), ("20 20 10", "20\t20 10\t")))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("DimSize", "Comment = a\x00\nDimSize"),
        ("DimSize", "Comment = a\rb\nDimSize"),
        ("DimSize", "Comment = \x1b[2J\nDimSize"),
        ("Offset = 7", "Offset:1 = 7"),
        ("Offset = 7", "Ofgset = 7"),
        ("Offset = 7", "&ffset = 7"),
    ],
)
def test_control_characters_and_names_that_are_nearly_those_of_fields(old: str, new: str, tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"damaged header \((a control character|the field '.ff?g?set)"):
        read_volume_header(write(tmp_path / "a.mha", META, (old, new)))


@pytest.mark.parametrize("line", ["content: a\x00", "a:=b\x1b[2J", "# a\rb", "unit\x85s: 1"])
def test_control_characters_in_nrrd(line: str, tmp_path: Path) -> None:
    path = tmp_path / "a.nrrd"
    path.write_bytes(NRRD.replace("type", f"{line}\ntype", 1).encode("latin-1") + RAW)
    with pytest.raises(CaseError, match="damaged header"):
        read_volume_header(path)


def test_a_field_with_the_sign_of_a_pair_in_its_value_counts(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="no usable sizes"):
        read_volume_header(write(tmp_path / "a.nrrd", NRRD, ("sizes: 20 20 10", "sizes: 20 20 10 :=")))


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize(
    ("field", "before"), [("line skip: 2", b"a\nb\n"), ("byte skip: -1", b"junk\n"), ("byte skip: 5", b"junk\n")]
)
def test_skips_of_nrrd(field: str, before: bytes, detached: bool, tmp_path: Path) -> None:
    lines = f"{field}\ndata file: a.raw\n" if detached else f"{field}\n"
    (tmp_path / "a.raw").write_bytes(before + RAW)
    check(write(tmp_path / "a.nrrd", NRRD, ("kinds", f"{lines}kinds"), data=b"" if detached else before + RAW))


@pytest.mark.parametrize("first", [False, True])
def test_a_fourth_axis_of_one_index_in_nrrd(first: bool, tmp_path: Path) -> None:
    def with_one(words: str, one: str) -> tuple[str, str]:
        return words, f"{one} {words}" if first else f"{words} {one}"

    changes = [with_one("20 20 10", "1"), with_one("(3,0,0) (0,3,0) (0,0,6)", "none")]
    changes += [with_one("domain domain domain", "list"), ("dimension: 3", "dimension: 4")]
    check(write(tmp_path / "a.nrrd", NRRD, *changes))
    two = [with_one("20 20 10", "2"), *changes[1:]]
    with pytest.raises(CaseError, match="has 4 axes, one 3-D volume expected"):
        read_volume_header(write(tmp_path / "b.nrrd", NRRD, *two, data=2 * RAW))


def test_a_fourth_axis_of_one_index_in_meta_image(tmp_path: Path) -> None:
    four = [("NDims = 3", "NDims = 4"), ("20 20 10", "20 20 10 1"), ("3 3 6", "3 3 6 1"), ("7 8 9", "7 8 9 0")]
    four += [("Rotation = 0 0 0", "Rotation = 0 0 0 0")]
    matrix = "1 0 0 0 1 0 0 0 1"
    check(write(tmp_path / "a.mha", META, *four, (matrix, "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1")))
    oblique = [*four, (matrix, "1 0 0 0 0 1 0 0 0 0 1 1 0 0 0 1")]
    two = [*four, (matrix, "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1"), ("20 10 1\n", "20 5 2\n")]
    for changes in (oblique, two):
        with pytest.raises(CaseError, match="has 4 axes, one 3-D volume expected"):
            read_volume_header(write(tmp_path / "b.mha", META, *changes))


@pytest.mark.parametrize("word", ["Local", "local"])
def test_local_is_written_in_three_ways(word: str, tmp_path: Path) -> None:
    check(write(tmp_path / "a.mha", META, ("LOCAL", word)))


def padded(folder: Path, kind: str, surplus: bytes) -> Path:
    if kind == "raw nrrd":
        return write(folder / "a.nrrd", NRRD, data=RAW + surplus)
    if kind == "gzip nrrd":
        return write(folder / "a.nrrd", NRRD, ("raw", "gzip"), data=gzip.compress(RAW + surplus))
    if kind == "zlib mha":
        return write(folder / "a.mha", COMPRESSED, data=DEFLATED + surplus)
    return write(folder / "a.mha", META, data=RAW + surplus)


KINDS = ["raw nrrd", "gzip nrrd", "mha", "zlib mha"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("surplus", [b"\n", b"\r\n", bytes(399)])
def test_padding_after_the_voxels_is_left_out(kind: str, surplus: bytes, tmp_path: Path) -> None:
    assert check(padded(tmp_path, kind, surplus)) == [f"{len(surplus)} bytes after the voxels left out"]


@pytest.mark.parametrize("kind", [*KINDS, "nii"])
@pytest.mark.parametrize("surplus", [b"x", b"\n\n", bytes(15) + b"\1", bytes(400)])
def test_other_bytes_after_the_voxels_are_refused(kind: str, surplus: bytes, tmp_path: Path) -> None:
    if kind == "nii":
        nibabel.save(nibabel.Nifti1Image(VOXELS, AFFINE), tmp_path / "a.nii")
        with (tmp_path / "a.nii").open("ab") as file:
            file.write(surplus)
        with pytest.raises(CaseError, match=r"bytes follow its voxels|holds more"):
            load_nifti(tmp_path / "a.nii")
        return
    with pytest.raises(CaseError, match=r"bytes of (compressed )?voxels found"):
        load_volume(padded(tmp_path, kind, surplus))


SEGMENTS = """Segment0_ID:=Segment_1
Segment0_LabelValue:=1
Segment0_Layer:=0
Segment0_Name:=Läsion
Segment0_Tags:=Segmentation.Status:inprogress|TerminologyEntry:

"""


def test_an_empty_terminology_of_a_segment(tmp_path: Path) -> None:
    path = write(tmp_path / "a.seg.nrrd", NRRD, ("(7,8,9)\n\n", f"(7,8,9)\n{SEGMENTS}"))
    array, affine = read_seg_nrrd(path)
    np.testing.assert_array_equal(array, VOXELS)
    np.testing.assert_allclose(affine, AFFINE)


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.seg.nrrd"])
def test_copies_of_headers_lie_in_a_locked_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the next run removes them, if this one is killed."""
    made: list[Path] = []
    make = tempfile.mkdtemp

    def recorded(*args: Any, **kwargs: Any) -> str:
        made.append(Path(make(*args, **kwargs)))
        return str(made[-1])

    locked: list[Path] = []
    lock = scratch.exclusive_lock

    def recorded_lock(path: Path, **kwargs: Any) -> Any:
        locked.append(path.parent)
        return lock(path, **kwargs)

    monkeypatch.setattr(tempfile, "mkdtemp", recorded)
    monkeypatch.setattr(scratch, "exclusive_lock", recorded_lock)
    if name == "a.seg.nrrd":
        read_seg_nrrd(write(tmp_path / name, NRRD, ("(7,8,9)\n\n", f"(7,8,9)\n{SEGMENTS}")))
    else:
        load_volume(write(tmp_path / name, NRRD if name == "a.nrrd" else META))
    assert made
    assert set(made) <= set(locked)
    assert not any(folder.exists() for folder in made)
