"""Zip archives: which files are unpacked, and that none leaves the folder or fills the disk."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s3net_monai.io import CaseError, limits
from s3net_monai.io.archive import unpack


def pack(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return path


def refusal(path: Path, folder: Path) -> str:
    with pytest.raises(CaseError) as error:
        unpack(path, folder)
    assert not folder.exists()
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(path.name)
    return str(error.value)


def test_files_keep_their_folders(tmp_path: Path) -> None:
    members = {"a/1.dcm": b"one", "a/b/2": b"two", "3.png": b"", "dir/": b""}
    unpacked = unpack(pack(tmp_path / "x.zip", members), tmp_path / "out")
    assert [file.relative_to(tmp_path / "out").as_posix() for file in unpacked.files] == ["a/1.dcm", "a/b/2", "3.png"]
    assert [file.read_bytes() for file in unpacked.files] == [b"one", b"two", b""]
    assert unpacked.ignored == 0


def test_hidden_files_and_nested_archives_are_counted(tmp_path: Path) -> None:
    members = {"a.png": b"1", ".DS_Store": b"2", "__x/.y/z.png": b"3", "b.ZIP": b"4", "c.tar.gz": b"5"}
    unpacked = unpack(pack(tmp_path / "x.zip", members), tmp_path / "out")
    assert [file.name for file in unpacked.files] == ["a.png"]
    assert (unpacked.ignored, unpacked.nested) == (2, 2)


@pytest.mark.parametrize(
    "name",
    ["../evil", "a/../../evil", "/etc/evil", "C:\\evil", "c:evil", "..\\evil", "a\\..\\..\\evil", "\\\\host\\s\\x"],
)
def test_members_that_would_leave_the_folder(tmp_path: Path, name: str) -> None:
    assert "would leave the folder" in refusal(pack(tmp_path / "x.zip", {"ok": b"", name: b"x"}), tmp_path / "out")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_special_files(tmp_path: Path, kind: int) -> None:
    member = zipfile.ZipInfo("link")
    member.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as opened:
        opened.writestr(member, "/etc/passwd")
    assert "a link or a special file" in refusal(tmp_path / "x.zip", tmp_path / "out")


def test_encrypted(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", {"a": b"1"})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "encrypted" in refusal(path, tmp_path / "out")


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "garbled"])
def test_damaged(tmp_path: Path, damage: str) -> None:
    path = pack(tmp_path / "x.zip", {"a.png": bytes(range(256)) * 20})
    content = path.read_bytes()
    broken = {"empty": b"", "text": b"hello", "cut": content[:-10], "garbled": content[:60] + bytes(40) + content[100:]}
    path.write_bytes(broken[damage])
    assert "damaged archive" in refusal(path, tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as opened:
        opened.writestr("a", "1")
        opened.writestr("a", "2")
    assert "cannot be unpacked (File exists)" in refusal(tmp_path / "x.zip", tmp_path / "out")


def test_limits_are_counted_while_expanding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "x.zip", {"a": bytes(300_000), "b": bytes(300_000)})
    monkeypatch.setattr(limits, "MIN_RATIO_BYTES", 500_000)
    assert "more than 100 times its size" in refusal(path, tmp_path / "out")
    monkeypatch.setattr(limits, "MIN_RATIO_BYTES", 700_000)
    assert len(unpack(path, tmp_path / "fine").files) == 2
    monkeypatch.setattr(limits, "MAX_ARCHIVE_BYTES", 500_000)
    assert "expands beyond the limit" in refusal(path, tmp_path / "out")
    monkeypatch.setattr(limits, "MAX_ARCHIVE_MEMBERS", 1)
    assert "2 members, beyond the limit of 1" in refusal(path, tmp_path / "out")


def test_wrong_sizes_in_the_header_do_not_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "x.zip", {"a": bytes(3_000_000)})
    content = bytearray(path.read_bytes())
    struct.pack_into("<L", content, content.index(b"PK\x01\x02") + 24, 10)  # uncompressed size
    path.write_bytes(content)
    monkeypatch.setattr(limits, "MIN_RATIO_BYTES", 1)
    refusal(path, tmp_path / "out")


names = st.lists(
    st.sampled_from(["..", ".", "", "a", "b.dcm", "C:", "\\", "..\\", "~", "/", "x" * 300, "\x01", "é", " ", "\u202e"]),
    min_size=1,
    max_size=5,
).map("/".join) | st.text(min_size=1, max_size=30)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(members=st.lists(names, min_size=1, max_size=4, unique=True))
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_no_name_leaves_the_folder(tmp_path_factory: pytest.TempPathFactory, members: list[str]) -> None:
    root = tmp_path_factory.mktemp("zip")
    path = root / "x.zip"
    with zipfile.ZipFile(path, "w") as opened:
        for name in members:
            member = zipfile.ZipInfo("placeholder")
            member.filename = name
            try:
                opened.writestr(member, b"content")
            except (UnicodeEncodeError, ValueError):
                return
    (root / "out").mkdir()
    try:
        unpacked = unpack(path, root / "out" / "in")
    except CaseError:
        assert not list((root / "out").iterdir())
    else:
        for file in unpacked.files:
            assert (root / "out" / "in") in file.resolve().parents
            assert ".." not in PurePosixPath(file).parts
    assert {entry.name for entry in root.iterdir()} == {"x.zip", "out"}
