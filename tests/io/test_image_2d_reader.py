"""2-D images that are refused, each with its name and one reason, and values that are not finite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from monai.transforms import LoadImage
from PIL import Image

from s3net_monai.io import CaseError, Image2DReader, RefuseOthersReader, upright_gray, upright_rgb

PICTURE = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)


def load(path: Path, percentile: float = 0.5) -> np.ndarray:
    """Return the picture (columns, rows, 3)."""
    readers = [RefuseOthersReader("a picture"), Image2DReader(upright_rgb, percentile)]
    return np.moveaxis(np.asarray(LoadImage(reader=readers, image_only=True)(path)), 0, -1)


def refusal(path: Path) -> str:
    with pytest.raises(CaseError) as refused:
        load(path)
    message = str(refused.value)
    assert "\n" not in message
    assert str(path.parent) not in message
    return message


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def garbage(path: Path) -> None:
    path.write_bytes(b"garbage")


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "tiff"])
@pytest.mark.parametrize("damage", [cut, garbage])
def test_damage_of_every_format(suffix: str, damage: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(PICTURE).save(path)
    assert load(path).shape == (64, 48, 3)
    damage(path)
    message = refusal(path)
    assert message.startswith((f"a.{suffix}: damaged or cut off", f"a.{suffix}: not readable as a 2-D image"))
    assert message.endswith(("copy it again", "copy the file again"))
    assert "attribute" not in message


def test_an_error_within_the_library_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.png")

    def stumble(self: object) -> None:
        raise AttributeError("'PngStream' object has no attribute 'chunk_junk'")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", stumble)
    assert refusal(tmp_path / "a.png") == "a.png: damaged or cut off; copy it again"


def test_several_pages_and_other_formats(tmp_path: Path) -> None:
    first, second = Image.fromarray(PICTURE), Image.fromarray(255 - PICTURE)
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second])
    assert "2 pages found" in refusal(tmp_path / "a.tif")
    first.save(tmp_path / "a.gif")
    assert "no reader takes it" in refusal(tmp_path / "a.gif")
    (tmp_path / "a.gif").rename(tmp_path / "b.png")  # by content, Pillow would open it
    assert "not readable as a 2-D image" in refusal(tmp_path / "b.png")


@pytest.mark.parametrize(("percentile", "expected"), [(0.5, 0), (50, 200)])
def test_a_value_that_is_not_finite_takes_the_percentile(percentile: float, expected: int, tmp_path: Path) -> None:
    """Skin is the median of its pictures, and air the lowest of CT."""
    pixels = np.full((40, 40), 200, np.float32)
    pixels[:4], pixels[4:8] = 0, 255
    pixels[20, 20] = np.nan
    Image.fromarray(pixels, mode="F").save(tmp_path / "a.tif")
    picture = load(tmp_path / "a.tif", percentile)
    assert picture[20, 20].tolist() == [expected] * 3
    assert picture[0, 30].tolist() == [200] * 3


def test_a_refusal_of_the_values_names_the_file(tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 40), np.nan, np.float32), mode="F").save(tmp_path / "a.tif")
    message = refusal(tmp_path / "a.tif")
    assert message.startswith("a.tif: 100% of the pixels inside the object are not finite")


def test_channels_keep_their_notes(tmp_path: Path) -> None:
    pixels = np.arange(1600, dtype=np.float32).reshape(40, 40)
    for name in ("a", "b"):
        Image.fromarray(pixels, mode="F").save(tmp_path / f"{name}.tif")
        pixels[0, 0] = np.nan
    image = LoadImage(reader=Image2DReader(upright_gray), image_only=True)([tmp_path / "a.tif", tmp_path / "b.tif"])
    assert image.shape == (2, 40, 40)
    assert [note.partition(" (")[0] for note in image.meta["notes"]] == ["non-finite pixels"]


@pytest.mark.parametrize("shape", [(5, 600), (300, 257), (1, 1), (2, 256)])
def test_every_pixel_comes_to_its_place(shape: tuple[int, int], tmp_path: Path) -> None:
    picture = np.random.default_rng(shape[0]).integers(0, 256, (*shape, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    Image.fromarray(picture[..., 0]).save(tmp_path / "gray.png")
    reader = Image2DReader(upright_rgb)
    array, meta = reader.get_data(reader.read(tmp_path / "a.png"))
    np.testing.assert_array_equal(array, picture.transpose(2, 1, 0))
    assert array.flags.c_contiguous
    assert meta["original_channel_dim"] == 0
    assert meta["spatial_shape"].tolist() == [shape[1], shape[0]]
    gray, _ = Image2DReader(upright_gray).get_data(Image2DReader(upright_gray).read(tmp_path / "gray.png"))
    np.testing.assert_array_equal(gray, picture[..., 0].T)
