"""Upright 2-D images with the channels that a network expects."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s3net_monai.io import CaseError, Image2DReader, upright_gray, upright_rgb


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    pixels = np.zeros((8, 16, 3), dtype=np.uint8)
    pixels[:4, :4] = 255  # top left as stored
    exif = Image.Exif()
    exif[0x0112] = 6  # to be rotated by 90 degrees clockwise for display
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=100)
    with Image.open(tmp_path / "a.jpg") as stored:
        upright = np.asarray(upright_rgb(stored))
    assert upright.shape == (16, 8, 3)
    assert upright[:4, 4:].min() > 200  # top right as displayed
    assert upright[:4, :3].max() < 60


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("L", (1, 1), 90), (90, 90, 90)),
        (Image.new("1", (1, 1), 1), (255, 255, 255)),
        (Image.new("LA", (1, 1), (90, 0)), (255, 255, 255)),
        (Image.new("RGBA", (1, 1), (10, 20, 30, 255)), (10, 20, 30)),
        (Image.new("RGBA", (1, 1), (10, 20, 30, 0)), (255, 255, 255)),
        (Image.new("RGB", (1, 1), (10, 20, 30)).quantize(2), (10, 20, 30)),
    ],
    ids=["gray", "bit", "transparent gray", "opaque", "transparent", "palette"],
)
def test_any_mode_becomes_rgb(image: Image.Image, expected: tuple[int, int, int]) -> None:
    result = upright_rgb(image)
    assert result.mode == "RGB"
    assert result.getpixel((0, 0)) == expected


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    image = Image.fromarray(np.array([[1000, 3000], [5000, 1000]], dtype=np.uint16))
    assert np.asarray(upright_gray(image)).tolist() == [[0, 128], [255, 0]]
    assert np.asarray(upright_rgb(image))[0, 1].tolist() == [128, 128, 128]


def test_color_becomes_gray_by_luma() -> None:
    assert upright_gray(Image.new("RGB", (1, 1), (255, 0, 0))).getpixel((0, 0)) == 76


@pytest.mark.parametrize(("level", "is_refused"), [(200 * 257, False), (200 * 16, True), (200, True)])
def test_colors_of_16_bits_need_a_known_scale(level: int, is_refused: bool, tmp_path: Path) -> None:
    """Twelve significant bits in sixteen would come out sixteen times too dark."""
    size = 8

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + np.full((size, 3), level, ">u2").tobytes() for _ in range(size))
    header = struct.pack(">IIBBBBB", size, size, 16, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    reader = Image2DReader(upright_rgb)
    if is_refused:
        with pytest.raises(CaseError, match=r"a\.png: 16-bit colors of which the highest bits are not used"):
            reader.get_data(reader.read(path))
    else:
        assert reader.get_data(reader.read(path))[0].max() == 200
