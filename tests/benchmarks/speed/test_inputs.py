"""The images that are measured: made once, of the size that was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from benchmarks.speed import inputs


def test_a_large_folder_repeats_its_pictures(tmp_path: Path) -> None:
    source, destination = tmp_path / "source", tmp_path / "destination"
    source.mkdir()
    destination.mkdir()
    for name in "ab":
        (source / f"{name}.png").write_text(name)
    inputs.linked_pictures(source, 3, destination)
    assert {path.name: path.read_text() for path in destination.iterdir()} == {
        "0000.png": "a",
        "0001.png": "b",
        "0002.png": "a",
    }


def test_a_photograph_has_its_size_and_is_made_once(tmp_path: Path) -> None:
    path = inputs.photograph(tmp_path, 96, 64)
    with Image.open(path) as image:
        assert (image.format, image.size) == ("JPEG", (96, 64))
    before = path.stat().st_mtime_ns
    assert inputs.photograph(tmp_path, 96, 64).stat().st_mtime_ns == before


@pytest.mark.parametrize("real", [True, False])
def test_ph2_is_read_where_it_is_there(tmp_path: Path, real: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(inputs, "_phantoms", lambda *arguments, **options: made.append(arguments) or [])
    if real:
        images = tmp_path / "skin" / "ph2" / "images"
        images.mkdir(parents=True)
        for name in ("2.jpg", "1.jpg", "3.jpg", "notes.txt"):
            (images / name).touch()
    found = inputs.pictures_of_ph2(tmp_path, tmp_path, 2)
    assert [path.name for path in found] == (["1.jpg", "2.jpg"] if real else [])
    assert len(made) == (0 if real else 1)


def test_phantoms_are_made_once(tmp_path: Path) -> None:
    series = inputs.ct_series(tmp_path, 8, size=16)
    assert len(list(series.iterdir())) == 8
    before = series.stat().st_mtime_ns
    assert inputs.ct_series(tmp_path, 8, size=16).stat().st_mtime_ns == before
