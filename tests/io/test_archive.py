"""Zip archives: which files are unpacked, and that none leaves the folder or fills the disk."""

from __future__ import annotations

import errno
import io
import random
import shutil
import stat
import struct
import zipfile
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s3net_monai.io import CaseError, limits
from s3net_monai.io.archive import Unpacked, unpack
from s3net_monai.io.archive_limits import UnpackedTotal


def pack(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return path


def unpack_alone(path: Path, folder: Path) -> Unpacked:
    return unpack(path, folder, UnpackedTotal())


def refusal(path: Path, folder: Path, total: UnpackedTotal | None = None) -> str:
    with pytest.raises(CaseError) as error:
        unpack(path, folder, total or UnpackedTotal())
    assert not folder.exists()
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(path.name)
    return str(error.value)


def test_files_keep_their_folders(tmp_path: Path) -> None:
    members = {"a/1.dcm": b"one", "a/b/2": b"two", "3.png": b"", "dir/": b""}
    unpacked = unpack_alone(pack(tmp_path / "x.zip", members), tmp_path / "out")
    assert [file.relative_to(tmp_path / "out").as_posix() for file in unpacked.files] == ["a/1.dcm", "a/b/2", "3.png"]
    assert [file.read_bytes() for file in unpacked.files] == [b"one", b"two", b""]
    assert unpacked.ignored == 0


def test_hidden_files_and_nested_archives_are_counted(tmp_path: Path) -> None:
    members = {"a.png": b"1", ".DS_Store": b"2", "__x/.y/z.png": b"3", "b.ZIP": b"4", "c.tar.gz": b"5"}
    unpacked = unpack_alone(pack(tmp_path / "x.zip", members), tmp_path / "out")
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
    assert "two members of one name" in refusal(tmp_path / "x.zip", tmp_path / "out")
    assert "two members of one name" in refusal(pack(tmp_path / "x.zip", {"a": b"1", "a/b": b"2"}), tmp_path / "out")


def test_names_that_systems_take_differently(tmp_path: Path) -> None:
    names = ["IM1", "im1", "con/aux.dcm", "a\x07\n.png", "\u202egnp.exe", "b" * 255]
    unpacked = unpack_alone(pack(tmp_path / "x.zip", dict.fromkeys(names, b"1")), tmp_path / "out")
    assert [file.relative_to(tmp_path / "out").as_posix() for file in unpacked.files] == names
    assert "(file name too long)" in refusal(pack(tmp_path / "x.zip", {"b" * 256: b"1"}), tmp_path / "no")


def test_folders_in_folders(tmp_path: Path) -> None:
    deep = "/".join("d" * 63)
    assert len(unpack_alone(pack(tmp_path / "x.zip", {f"{deep}/a": b"1"}), tmp_path / "out").files) == 1
    for depth in (65, 1300):  # a walk or removal by recursion ends at some thousand
        path = pack(tmp_path / "x.zip", {"/".join("d" * depth): b"1"})
        assert f"folders {depth} deep, beyond the limit of 64" in refusal(path, tmp_path / "no")


def test_sizes_that_follow_the_data(tmp_path: Path) -> None:
    """Archives that are written to a pipe state sizes and checksum behind each member."""

    class Pipe(io.RawIOBase):
        content = b""

        def writable(self) -> bool:
            return True

        def write(self, block: Any) -> int:
            self.content += bytes(block)
            return len(block)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as opened:  # type: ignore[call-overload]
        opened.writestr("a", b"one" * 100)
        opened.writestr("b", b"two")
    (tmp_path / "x.zip").write_bytes(pipe.content)
    assert b"PK\x07\x08" in pipe.content
    unpacked = unpack_alone(tmp_path / "x.zip", tmp_path / "out")
    assert [file.read_bytes() for file in unpacked.files] == [b"one" * 100, b"two"]


def test_one_changed_byte_is_found_and_no_member_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as opened:
        opened.writestr("Doe_Jane.dcm", b"image")
    path.write_bytes(path.read_bytes().replace(b"image", b"imagf"))
    message = refusal(path, tmp_path / "out")
    assert "damaged archive (Bad CRC-32" in message
    assert "Doe" not in message
    path.write_bytes(path.read_bytes().replace(b"Doe_Jane", b"Doe_Joan", 1))
    assert "Doe" not in refusal(path, tmp_path / "out")


def test_members_that_share_bytes(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", {"a": b"12345678" * 9, "b": b"1"})
    content = bytearray(path.read_bytes())
    struct.pack_into("<L", content, content.rindex(b"PK\x01\x02") + 42, 4)  # the offset of the second member
    path.write_bytes(content)
    assert "members that overlap" in refusal(path, tmp_path / "out")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 9, 99])
def test_methods_without_a_limit_while_expanding(tmp_path: Path, method: int) -> None:
    path = pack(tmp_path / "x.zip", {"a": b"1"})
    content = bytearray(path.read_bytes())
    struct.pack_into("<H", content, content.index(b"PK\x01\x02") + 10, method)
    path.write_bytes(content)
    expected = f"x.zip: compressed by method {method}, deflate expected; unpack it yourself"
    assert refusal(path, tmp_path / "out") == expected


def test_features_that_are_not_read_are_no_damage(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", {"a": b"1"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = 99  # the version needed to extract
    path.write_bytes(content)
    assert "packed in a way that is not read" in refusal(path, tmp_path / "out")


def test_limits_are_counted_while_expanding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "x.zip", {"a": bytes(300_000), "b": bytes(300_000)})
    monkeypatch.setattr(limits, "MIN_RATIO_BYTES", 500_000)
    assert "more than 100 times its size" in refusal(path, tmp_path / "out")
    monkeypatch.setattr(limits, "MIN_RATIO_BYTES", 700_000)
    assert len(unpack_alone(path, tmp_path / "fine").files) == 2
    monkeypatch.setattr(limits, "MAX_ARCHIVE_BYTES", 500_000)
    assert "expands beyond the limit" in refusal(path, tmp_path / "out")
    monkeypatch.setattr(limits, "MAX_ARCHIVE_MEMBERS", 1)
    assert "2 members, beyond the limit of 1" in refusal(path, tmp_path / "out")


def test_archives_of_a_run_share_one_limit_beyond_the_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three archives that are harmless alone, two would fill a small disk."""
    bomb = pack(tmp_path / "x.zip", {"a": bytes(600_000)})
    noise = random.Random(1).randbytes(1000)
    images = pack(tmp_path / "images.zip", {"a": noise, "b": noise * 50})
    assert 100 * bomb.stat().st_size < 100_000  # so that at least 500,000 of its bytes are beyond the ratio
    monkeypatch.setattr(limits, "MIN_RATIO_BYTES", 700_000)
    total = UnpackedTotal()
    unpack(bomb, tmp_path / "1", total)
    assert total.expanded == 600_000
    for name in ("2", "3"):
        assert "more than 100 times its size" in refusal(bomb, tmp_path / name, total)
    unpack(images, tmp_path / "4", total)  # a refused archive takes nothing from the others
    assert (total.members, total.expanded) == (3, 651_000)


def test_archives_of_a_run_share_one_limit_of_size_and_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "x.zip", {"a": random.Random(1).randbytes(1000), "b": b""})
    monkeypatch.setattr(limits, "MAX_UNPACKED_BYTES", 2500)
    total = UnpackedTotal()
    unpack(path, tmp_path / "1", total)
    unpack(path, tmp_path / "2", total)
    assert "all archives expand beyond the limit" in refusal(path, tmp_path / "3", total)
    monkeypatch.setattr(limits, "MAX_UNPACKED_MEMBERS", 5)
    assert "all archives have more than 5 members" in refusal(path, tmp_path / "3", total)
    assert (total.members, total.expanded) == (4, 2000)


@pytest.mark.parametrize(
    ("free", "written"),
    [
        pytest.param([2**30 + 3 * 2**20 - 1], [0], id="before"),
        pytest.param([2**31, 2**31, 2**30 + 100], [0, 0, 2**20], id="while-others-fill-it"),
    ],
)
def test_the_disk_is_not_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: list[int], written: list[int]
) -> None:
    path = pack(tmp_path / "x.zip", {"a": random.Random(1).randbytes(3 * 2**20)})
    states, seen = iter(free), []

    def disk_usage(folder: Path) -> SimpleNamespace:
        seen.append(sum(file.stat().st_size for file in folder.rglob("*")))
        return SimpleNamespace(total=2**40, free=next(states))

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    message = refusal(path, tmp_path / "out")
    assert message.startswith("x.zip: no room for it in the temporary folder, 1 GiB free and 1 GiB kept; set TMPDIR")
    assert seen == written


def test_of_a_small_disk_a_twentieth_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "x.zip", {"a": bytes(range(256)) * 40})
    disk = SimpleNamespace(total=2**20, free=2**20 // 20 + 10_240)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk)
    assert len(unpack_alone(path, tmp_path / "out").files) == 1
    disk.free -= 1
    assert "no room" in refusal(path, tmp_path / "no")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_is_full_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(code, "full")

    path = pack(tmp_path / "x.zip", {"a/b": b"1"})
    original = Path.mkdir
    monkeypatch.setattr(Path, "mkdir", lambda self, *a, **k: full() if self.name == "a" else original(self, *a, **k))
    assert refusal(path, tmp_path / "out").endswith(
        "no space left in the temporary folder; set TMPDIR to a folder on a larger disk"
    )


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
        unpacked = unpack_alone(path, root / "out" / "in")
    except CaseError:
        assert not list((root / "out").iterdir())
    else:
        for file in unpacked.files:
            assert (root / "out" / "in") in file.resolve().parents
            assert ".." not in PurePosixPath(file).parts
    assert {entry.name for entry in root.iterdir()} == {"x.zip", "out"}
