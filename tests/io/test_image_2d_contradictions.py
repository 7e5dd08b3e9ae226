"""2-D images whose headers contradict themselves, or the length of the file, are refused; harmless parts are not."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.faults import sound_files
from benchmarks.faults.header_edits import with_tag, with_value
from benchmarks.faults.sound_files import with_png_checksums
from s3net_monai.io.image_to_lps import exif_orientation
from s3net_monai.io.open_image_2d import check_image_2d
from tests.helpers.reading import loaded, refusal


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
