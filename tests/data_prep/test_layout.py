"""Search for the files of a data set."""

from __future__ import annotations

from pathlib import Path

from data_prep.layout import list_files_below
from data_prep.summary import prepared_line
from tests.helpers.deep_folders import chain_of_folders
from tests.helpers.discovery_results import touch


def test_files_below_a_folder_by_pattern(tmp_path: Path) -> None:
    touch(*(tmp_path / name for name in ("b.PNG", "a/c.png", "a/.d.png", "a/e.txt", "f/g.png/h.png")))
    names = [path.relative_to(tmp_path).as_posix() for path in list_files_below(tmp_path, "*.png")]
    assert names == ["a/c.png", "b.PNG", "f/g.png/h.png"]  # and not the folder of such a name


def test_a_thousand_folders_in_each_other(tmp_path: Path) -> None:
    datalist = tmp_path / "datalist.json"
    datalist.write_text('{"training": []}')
    (tmp_path / "source").mkdir()
    with chain_of_folders(tmp_path / "source", 1300, files={"a.png": b""}) as last:
        assert list_files_below(tmp_path / "source", "*.png") == [last / "a.png"]
        assert "1 other file in" in prepared_line(datalist, tmp_path / "source")
