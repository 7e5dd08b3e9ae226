"""A mask in a picture gives the same label values, however a program has stored it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s3net_monai.io.label_maps.read_label import read_label
from s3net_monai.utils.errors import CaseError

MASK = np.zeros((40, 60), np.uint8)  # (rows, columns)
MASK[10:30, 20:50] = 1


def palette(*colors: tuple[int, int, int]) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        image = Image.fromarray(MASK).convert("P")
        image.putdata(MASK.ravel().tolist())
        image.putpalette([value for color in colors for value in color])
        image.save(path)

    return save


def gray(values: np.ndarray) -> Callable[[Path], None]:
    return lambda path: Image.fromarray(values).save(path)


def soft() -> np.ndarray:
    """Gray edges: the mask is what is at least half as bright as its inside."""
    values = 255 * MASK.astype(np.float32)
    values[10, 20:50] = values[29, 20:50] = 140
    values[9, 20:50] = values[30, 20:50] = 110
    return values.astype(np.uint8)


BINARY: dict[str, tuple[str, Callable[[Path], None]]] = {
    "255": ("png", gray(255 * MASK)),
    "254": ("png", gray(254 * MASK)),
    "128": ("bmp", gray(128 * MASK)),
    "ones": ("png", gray(MASK)),
    "one bit": ("png", gray(MASK > 0)),
    "16 bits of 65535": ("png", gray(MASK.astype(np.uint16) * 65535)),
    "16 bits of ones": ("tif", gray(MASK.astype(np.uint16))),
    "32 bits of -1": ("tif", gray(-MASK.astype(np.int32))),
    "fractions": ("tif", gray(MASK.astype(np.float32) * 0.4)),
    "gray in three channels": ("png", gray(np.stack([MASK * 255] * 3, axis=-1))),
    "gray in four channels, opaque": ("png", gray(np.stack([MASK * 255] * 3 + [MASK * 0 + 255], axis=-1))),
    "palette": ("png", palette((0, 0, 0), (255, 255, 255))),
    "inverted palette": ("png", lambda path: _inverted(path)),
    "palette of colors": ("png", palette((0, 0, 0), (128, 0, 0))),
    "soft edges": ("png", gray(soft())),
    "JPEG": ("jpg", gray(255 * MASK)),
    "JPEG in three channels": ("jpg", gray(np.stack([MASK * 255] * 3, axis=-1))),
}


def _inverted(path: Path) -> None:
    image = Image.fromarray(MASK).convert("P")
    image.putdata((1 - MASK).ravel().tolist())
    image.putpalette([255, 255, 255, 0, 0, 0])
    image.save(path)


@pytest.mark.parametrize("kind", BINARY)
def test_binary_masks(tmp_path: Path, kind: str) -> None:
    suffix, save = BINARY[kind]
    save(tmp_path / f"a.{suffix}")
    label = read_label(tmp_path / f"a.{suffix}")
    assert (label.affine, label.array.shape) == (None, (60, 40))
    np.testing.assert_array_equal(label.array.T, MASK)


def test_an_empty_mask_stays_empty(tmp_path: Path) -> None:
    gray(0 * MASK)(tmp_path / "a.png")
    assert not read_label(tmp_path / "a.png").array.any()


def test_classes_keep_their_numbers(tmp_path: Path) -> None:
    classes = MASK.copy()
    classes[12:20, 22:30] = 3
    for name, dtype in (("a.png", np.uint8), ("b.png", np.uint16), ("c.tif", np.int32)):
        gray(classes.astype(dtype))(tmp_path / name)
        np.testing.assert_array_equal(read_label(tmp_path / name).array.T, classes)
    gray(3 * MASK)(tmp_path / "one.png")
    assert np.unique(read_label(tmp_path / "one.png").array).tolist() == [0, 3]
    assert np.unique(read_label(tmp_path / "one.png", binary=True).array).tolist() == [0, 1]


def test_of_several_classes_no_value_is_guessed(tmp_path: Path) -> None:
    gray(255 * MASK)(tmp_path / "a.png")
    assert np.unique(read_label(tmp_path / "a.png", binary=False).array).tolist() == [0, 255]
    gray(soft())(tmp_path / "soft.png")
    assert 140 in np.unique(read_label(tmp_path / "soft.png", binary=False).array)


def test_classes_beside_a_value_for_ignore_are_no_soft_edges(tmp_path: Path) -> None:
    classes = MASK.copy()
    classes[12:20, 22:30] = 2
    classes[20:25, 22:30] = 255
    gray(classes)(tmp_path / "a.png")
    np.testing.assert_array_equal(read_label(tmp_path / "a.png").array.T, classes)


def test_a_jpeg_saved_again_as_png_is_cut_at_half(tmp_path: Path) -> None:
    gray(255 * MASK)(tmp_path / "a.jpg")
    decoded = Image.open(tmp_path / "a.jpg")
    decoded.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_label(tmp_path / "a.png").array.T, MASK)


def test_classes_in_a_palette_are_the_numbers_of_its_colors(tmp_path: Path) -> None:
    image = Image.fromarray(MASK).convert("P")
    classes = MASK.copy()
    classes[12:20, 22:30] = 2
    image.putdata(classes.ravel().tolist())
    image.putpalette([0, 0, 0, 200, 0, 0, 0, 200, 0])
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_label(tmp_path / "a.png").array.T, classes)


def test_two_and_four_bits_of_gray_are_not_scaled(tmp_path: Path) -> None:
    """Programs that make PNG smaller store few grays in few bits, which decoders stretch to 255."""
    classes = MASK.copy()
    classes[12:20, 22:30] = 3
    image = Image.fromarray(classes)
    for bits in (2, 4):
        path = tmp_path / f"{bits}.png"
        _save_gray_png(path, classes, bits)
        assert np.asarray(Image.open(path)).max() == {2: 255, 4: 51}[bits]
        np.testing.assert_array_equal(read_label(path).array.T, np.asarray(image))


def _save_gray_png(path: Path, values: np.ndarray, bits: int) -> None:
    """Write gray of 2 or 4 bits, which Pillow only reads (PNG specification, 7.2: the leftmost pixel in high bits)."""
    import struct
    import zlib

    per_byte = 8 // bits
    rows = values.reshape(len(values), -1, per_byte).astype(int)
    packed = sum(rows[..., i] << (8 - bits * (i + 1)) for i in range(per_byte))
    data = b"".join(b"\0" + bytes(row.tolist()) for row in np.asarray(packed))
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b""))
    content = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


def test_other_pictures_are_refused_with_the_values_found(tmp_path: Path) -> None:
    red = np.zeros((*MASK.shape, 3), np.uint8)
    red[..., 0] = 255 * MASK
    alpha = np.zeros((*MASK.shape, 4), np.uint8)
    alpha[..., 3] = 200 * MASK
    gray(red)(tmp_path / "red.png")
    gray(alpha)(tmp_path / "alpha.png")
    levels = MASK.copy() * 60
    levels[12:20, 22:40] = 240
    gray(levels)(tmp_path / "classes.jpg")
    noise = np.random.default_rng(0).integers(0, 256, (40, 60)).astype(np.uint8)
    gray(noise)(tmp_path / "image.png")
    Image.fromarray(MASK).save(tmp_path / "pages.tif", save_all=True, append_images=[Image.fromarray(MASK)])
    for name, message in {
        "red.png": r"red\.png: the colors \(255, 0, 0\) found, one channel of label values expected; save",
        "alpha.png": r"alpha\.png: transparency with the values 0, 200 found",
        "classes.jpg": r"classes\.jpg: JPEG with values up to 2\d\d found.*save the label as PNG",
        "image.png": r"image\.png: 256 different values, so an image, not a mask",
        "pages.tif": r"pages\.tif: 2 pages found",
    }.items():
        with pytest.raises(CaseError, match=message):
            read_label(tmp_path / name)


def test_exif_of_the_mask_itself_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # stored rows are the columns of the upright picture
    Image.fromarray(255 * MASK).save(tmp_path / "a.jpg", exif=exif, quality=95)
    np.testing.assert_array_equal(read_label(tmp_path / "a.jpg").array.T, np.rot90(MASK, -1))
