"""Where results go: folders that are files, files that are folders, and what cannot be written to."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s3net_monai.cli import main
from s3net_monai.monailabel.served import make_app
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.output_paths import check_output_file, check_output_folder, os_error_line
from s3net_monai.utils.scratch import scratch_folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "taken"
    path.write_text("x")
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(folder / "a.png")
    return folder


Words = Callable[[Path], list[str]]


@pytest.fixture(params=["segment", "evaluate", "export", "prepare", "phantom"])
def words(request: pytest.FixtureRequest, images: Path, skin_bundle: Path) -> Words:
    """A command whose results go to the given path, or, of ``evaluate``, to a file in it."""
    source, bundle = str(images), ["--bundle", str(skin_bundle)]
    scores = ["evaluate", "--predictions", source, "--labels", source]
    commands: dict[str, Words] = {
        "segment": lambda path: ["segment", source, "--task", "skin", *bundle, "--output", str(path)],
        "evaluate": lambda path: [*scores, "--output", f"{path}/s.json"],
        "export": lambda path: ["export", "skin", *bundle, "--output", str(path)],
        "prepare": lambda path: ["prepare", "isic2018", source, str(path)],
        "phantom": lambda path: ["phantom", "skin", str(path), "--shape", "64", "48"],
    }
    return commands[request.param]


def refusal(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1, errors
    assert "Errno" not in errors
    return errors


def test_a_file_in_place_of_the_folder(words: Words, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(words(file), capsys) == (
        f"s3net: error: {file}: a file, a folder is expected for the results; give another path\n"
    )
    assert file.read_text() == "x"


def test_a_file_among_the_folders_above(words: Words, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"{file} is a file, a folder is expected for the results; give another path" in refusal(
        words(file / "results"), capsys
    )


def test_a_folder_that_is_not_writable(
    words: Words, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    allowed = os.access
    # An administrator, as in a container, may write everywhere: the answer of the system is replaced.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed and allowed(path, mode))
    assert f"{closed}: not writable; change the permissions or give another path" in refusal(words(closed), capsys)
    assert f"cannot be made, {closed} is not writable" in refusal(words(closed / "new"), capsys)
    assert list(closed.iterdir()) == []


@pytest.mark.parametrize("name", ["report.json", "report.html", "labels.csv"])
def test_a_folder_in_place_of_a_report(
    images: Path, skin_bundle: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out" / name).mkdir(parents=True)
    words = ["segment", str(images), "--task", "skin", "--bundle", str(skin_bundle), "--output", str(tmp_path / "out")]
    assert f"{name}: a folder, a file is to be written there" in refusal(words, capsys)
    assert not list((tmp_path / "out").glob("*_seg*"))


def test_a_folder_in_place_of_the_scores(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "--predictions", str(images), "--labels", str(images), "--output", str(tmp_path)]
    assert f"{tmp_path}: a folder, a file is to be written there; give another path" in refusal(words, capsys)


def test_scores_go_into_a_new_folder(tmp_path: Path) -> None:
    for name in ("masks/a_seg.png", "labels/a.png"):
        (tmp_path / name).parent.mkdir()
        Image.fromarray(np.full((4, 5), 255, np.uint8)).save(tmp_path / name)
    words = ["evaluate", "--predictions", str(tmp_path / "masks"), "--labels", str(tmp_path / "labels")]
    assert main([*words, "--output", str(tmp_path / "new" / "scores.json")]) == 0
    assert (tmp_path / "new" / "scores.json").is_file()


def test_the_folder_of_the_server(file: Path) -> None:
    with pytest.raises(UsageError, match="a file, a folder is expected"):
        make_app(file, ["skin"])


def test_a_folder_that_will_be_made_is_not_made_by_the_check(tmp_path: Path) -> None:
    check_output_folder(tmp_path / "a" / "b")
    check_output_file(tmp_path / "a" / "c.json")
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_nowhere_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(UsageError, match="a folder is expected"):
        check_output_folder(tmp_path / "link")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "masks/a.nii.gz: no space left on its disk; free some or give a path on another disk"),
        (errno.EDQUOT, "masks/a.nii.gz: the disk quota is used up; free some space or give a path on another disk"),
        (errno.EACCES, "masks/a.nii.gz: no permission; change the permissions or give another path"),
    ],
)
def test_what_the_system_refuses_has_a_remedy(number: int, remedy: str) -> None:
    assert os_error_line(OSError(number, "text of the system", "masks/a.nii.gz")) == remedy


def test_a_temporary_folder_is_one_that_this_process_made() -> None:
    """Results may go into the folder for temporary files, under a name like those of this program."""
    full = "no space left on its disk; free some or"
    with scratch_folder() as folder:
        pass  # an error is reported after the end of its folder
    file, result = folder / "a.dcm", folder.with_name("s3net-results") / "a.nii.gz"
    text = "text of the system"
    assert os_error_line(OSError(errno.ENOSPC, text, str(file))) == (
        f"{file}: {full} set TMPDIR to a folder on another disk"
    )
    assert os_error_line(OSError(errno.ENOSPC, text, str(result))) == f"{result}: {full} give a path on another disk"


def test_what_has_no_remedy_keeps_its_text() -> None:
    assert os_error_line(OSError("the server\nhung up")) == "the server hung up"
