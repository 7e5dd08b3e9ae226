"""Headers of which two fields contradict each other, or the length of the file, are refused or noted."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.faults import sound_files
from benchmarks.faults.header_edits import Change, with_tag, with_value
from benchmarks.faults.sound_files import recompressed, with_png_checksums
from s3net_monai.io import CaseError, Image2DReader, LabelReader, NiftiReader, VolumeReader, upright_gray
from s3net_monai.io.image_to_lps import exif_orientation
from s3net_monai.io.open_image_2d import check_image_2d
from tests.helpers.nifti_headers import UPRIGHT, save_nifti

READERS = (Image2DReader(upright_gray), NiftiReader(), VolumeReader())


def loaded(path: Path) -> tuple[np.ndarray, list[str]]:
    reader: Any = next(reader for reader in READERS if reader.verify_suffix(path))
    array, meta = reader.get_data(reader.read(path))
    return np.asarray(array), list(meta.get("notes", []))


def refusal(path: Path) -> str:
    with pytest.raises(CaseError) as error:
        loaded(path)
    assert str(error.value).startswith(f"{path.name}: ")
    assert "\n" not in str(error.value)
    return str(error.value)


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


@pytest.mark.parametrize(("layout", "offset", "value"), [(">I", 16, 39), (">I", 20, 31), (">I", 20, 33), ("B", 24, 4)])
@pytest.mark.parametrize("deep", [False, True])
def test_png(layout: str, offset: int, value: int, deep: bool, tmp_path: Path) -> None:
    data = sound_files.picture("a.png", deep=deep)["a.png"]
    (tmp_path / "a.png").write_bytes(with_png_checksums(with_value(layout, offset, value)(data)))
    assert "expected by its sizes" in refusal(tmp_path / "a.png")


def test_an_interlaced_png(tmp_path: Path) -> None:
    """Seven passes of 1x1 to 3x2 pixels of 5x3, as Adam7 orders them, with a filter byte for each row."""
    pixels = np.arange(15, dtype=np.uint8).reshape(3, 5)
    rows = [pixels[y::dy, x::dx] for x, dx, y, dy in ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4))]
    rows += [pixels[y::dy, x::dx] for x, dx, y, dy in ((0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))]
    stream = b"".join(b"\0" + line.tobytes() for passed in rows for line in passed if line.size)
    header = struct.pack(">II5B", 5, 3, 8, 0, 0, 0, 1)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(stream)), (b"IEND", b"")]
    data = b"".join(len(body).to_bytes(4, "big") + kind + body + bytes(4) for kind, body in chunks)
    (tmp_path / "a.png").write_bytes(with_png_checksums(b"\x89PNG\r\n\x1a\n" + data))
    np.testing.assert_array_equal(loaded(tmp_path / "a.png")[0].T, pixels)


def test_colors_of_a_palette_without_one(tmp_path: Path) -> None:
    data = sound_files.picture("a.png")["a.png"]
    (tmp_path / "a.png").write_bytes(with_png_checksums(with_value("B", 25, 3)(data)))
    assert "no palette" in refusal(tmp_path / "a.png")


@pytest.mark.parametrize("compression", [None, "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize(("tag", "value"), [(256, 39), (257, 31), (257, 64), (258, 16), (278, 16), (279, 9)])
def test_tiff(compression: str | None, tag: int, value: int, tmp_path: Path) -> None:
    data = sound_files.picture("a.tif", compression=compression)["a.tif"]
    (tmp_path / "a.tif").write_bytes(data)
    np.testing.assert_array_equal(loaded(tmp_path / "a.tif")[0], sound_files.voxels(np.uint8)[:, :, 3] * 2)
    (tmp_path / "a.tif").write_bytes(with_tag(tag, value)(data))
    refusal(tmp_path / "a.tif")


@pytest.mark.parametrize("offset", [0, 9])
def test_a_strip_where_the_tags_are(offset: int, tmp_path: Path) -> None:
    data = sound_files.picture("a.tif")["a.tif"]
    (tmp_path / "a.tif").write_bytes(with_tag(273, offset)(data))
    assert "a strip lies where the tags are" in refusal(tmp_path / "a.tif")


def test_bmp(tmp_path: Path) -> None:
    data = sound_files.picture("a.bmp")["a.bmp"]
    (tmp_path / "a.bmp").write_bytes(with_value("<i", 22, 16)(data))
    assert "1280 bytes of pixels found, 640 expected by its width and height" in refusal(tmp_path / "a.bmp")
    (tmp_path / "a.bmp").write_bytes(data + bytes(2))  # as some programs pad
    assert loaded(tmp_path / "a.bmp")[0].shape == (40, 32)


def bmp_with_profile(data: bytes) -> bytes:
    """The same pixels below a BITMAPV5HEADER, with a color profile of 999 bytes after them."""
    pixels, header = data[54:], bytearray(124)
    header[:40] = data[14:54]
    if len(pixels) != 1280:  # those of 8 bits follow a palette
        pixels = data[54 + 1024 :]
    palette = data[54 : len(data) - len(pixels)]
    header[:4] = struct.pack("<I", 124)
    header[56:60] = b"DEBM"
    header[112:120] = struct.pack("<2I", 124 + len(palette) + len(pixels), 999)
    start = 14 + 124 + len(palette)
    body = bytes(header) + palette + pixels + b"\x07" * 999
    return data[:2] + struct.pack("<IHHI", 14 + len(body), 0, 0, start) + body


def test_a_bmp_with_a_color_profile_or_zeros_after_its_pixels(tmp_path: Path) -> None:
    data = sound_files.picture("a.bmp")["a.bmp"]
    path = tmp_path / "a.bmp"
    path.write_bytes(data)
    sound = loaded(path)[0]
    for content in (bmp_with_profile(data), data + bytes(512), bmp_with_profile(data) + bytes(512)):
        path.write_bytes(content)
        np.testing.assert_array_equal(loaded(path)[0], sound)
    for content in (data + b"\x01" * 512, with_value("<i", 22, 16)(bmp_with_profile(data))):
        path.write_bytes(content)
        assert "bytes of pixels found" in refusal(path)


def png_with(*chunks: tuple[bytes, bytes]) -> bytes:
    data = sound_files.picture("a.png")["a.png"]
    added = b"".join(len(body).to_bytes(4, "big") + kind + body + bytes(4) for kind, body in chunks)
    return with_png_checksums(data[:33] + added + data[33:])


@pytest.mark.parametrize(
    "chunk",
    [
        (b"zTXt", b"c\0\0" + zlib.compress(b"x" * 3_000_000)),
        (b"iCCP", b"c\0\0" + zlib.compress(bytes(1_500_000))),
        (b"eXIf", b"bad"),
    ],
    ids=["text", "profile", "no EXIF"],
)
def test_parts_of_a_png_that_change_no_pixel(chunk: tuple[bytes, bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_with())
    sound = loaded(path)[0]
    path.write_bytes(png_with(chunk))
    np.testing.assert_array_equal(loaded(path)[0], sound)
    assert check_image_2d(path) == sound.shape
    assert exif_orientation(path) == 1
    damaged = bytearray(png_with(chunk))
    damaged[33 + 10] ^= 1  # in the part, whose checksum still counts
    path.write_bytes(damaged)
    assert "again" in refusal(path)


def test_the_orientation_in_the_texts_of_a_png_counts(tmp_path: Path) -> None:
    xmp = b'XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation="6"/>'
    (tmp_path / "a.png").write_bytes(png_with((b"iTXt", xmp)))
    assert loaded(tmp_path / "a.png")[0].shape == (32, 40)
    assert exif_orientation(tmp_path / "a.png") == 6


@pytest.mark.parametrize("deflated", [False, True])
def test_zeros_after_the_rows_of_the_last_strip(deflated: bool, tmp_path: Path) -> None:
    """Nine rows of 12 bytes in strips of 4, of which the last has 3 rows more than the image."""

    def tiff(padding: bytes) -> bytes:
        rows = np.arange(1, 109, dtype=np.uint8).tobytes()
        strips = [rows[:48], rows[48:96], rows[96:] + padding]
        strips = [zlib.compress(strip) for strip in strips] if deflated else strips
        offsets = np.cumsum([8, *map(len, strips)]).tolist()
        directory = offsets.pop()
        end = directory + 2 + 10 * 12 + 4
        tags = [(256, 3, 1, 12), (257, 3, 1, 9), (258, 3, 1, 8), (259, 3, 1, 8 if deflated else 1), (262, 3, 1, 1)]
        tags += [(273, 4, 3, end), (277, 3, 1, 1), (278, 3, 1, 4), (279, 4, 3, end + 12), (284, 3, 1, 1)]
        fields = b"".join(struct.pack("<HHII", *tag) for tag in tags)
        lists = struct.pack("<6I", *offsets, *map(len, strips))
        return (
            b"II*\0" + struct.pack("<IH", directory, 10)[:4] + b"".join(strips) + b"\x0a\0" + fields + bytes(4) + lists
        )

    path = tmp_path / "a.tif"
    path.write_bytes(tiff(bytes(36)))
    np.testing.assert_array_equal(loaded(path)[0].T.ravel(), np.arange(1, 109))
    for padding in (b"\x01" * 36, bytes(48)):
        path.write_bytes(tiff(padding))
        refusal(path)
