"""Hypothesis strategies that damage files byte by byte, and series file by file.

Each of them draws ``(description, files)``; the description is for messages alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any
from zipfile import ZipFile

from hypothesis import strategies as st
from PIL import Image

from tests.helpers.damage_bases import Files, base

Damaged = tuple[str, Files]


def one_or_all(draw: Callable[..., Any], files: Files, change: Callable[[bytes], bytes]) -> tuple[str, Files]:
    """Change one file or, one time in four, all of them in the same way; return which, and the files."""
    names = list(files)
    chosen = draw(st.sampled_from(names))
    all_files = len(names) > 1 and draw(st.integers(0, 3)) == 0
    return "all files" if all_files else chosen, {
        name: change(data) if all_files or name == chosen else data for name, data in files.items()
    }


@st.composite
def raw_damage(draw: Callable[..., Any], names: Sequence[str], only: str = "") -> Damaged:
    """Flip, overwrite, insert, remove, zero, double or exchange bytes anywhere, or only in the file ``only``."""
    name = draw(st.sampled_from(names))
    files = {file: data for file, data in base(name).items() if only in ("", file)}
    kind = draw(st.sampled_from(["flip", "flips", "overwrite", "insert", "delete", "zero", "double", "exchange"]))
    position, other = (draw(st.floats(0, 1, exclude_max=True)) for _ in range(2))
    size = draw(st.integers(1, 24))
    noise = draw(st.binary(min_size=size, max_size=size))

    def change(data: bytes) -> bytes:
        at, other_at = int(position * len(data)), int(other * len(data))
        if kind == "flip":
            return data[:at] + bytes([data[at] ^ 1 << size % 8]) + data[at + 1 :]
        if kind == "flips":
            step = 1 + other_at // 4
            return bytes(byte ^ noise[i % size] if i % step == at % step else byte for i, byte in enumerate(data))
        if kind == "overwrite":
            return data[:at] + noise[: len(data) - at] + data[at + size :]
        if kind == "insert":
            return data[:at] + noise + data[at:]
        if kind == "delete":
            return data[:at] + data[at + size :]
        if kind == "zero":
            return data[:at] + bytes(min(size, len(data) - at)) + data[at + size :]
        if kind == "double":
            return data[: at + size] + data[at:]
        first, last = sorted((at, other_at))
        return (
            data[:first]
            + data[last : last + size]
            + data[first + size : last]
            + data[first : first + size]
            + data[last + size :]
        )

    which, damaged = one_or_all(draw, files, change)
    return f"{name}: {kind} of {size} at {position:.4f} in {which}", {**base(name), **damaged}


@st.composite
def truncation(draw: Callable[..., Any], names: Sequence[str]) -> Damaged:
    """Cut one file at any byte."""
    name = draw(st.sampled_from(names))
    files = base(name)
    chosen = draw(st.sampled_from(list(files)))
    length = draw(st.integers(0, len(files[chosen]) - 1))
    return f"{name}: {chosen} cut to {length} bytes", {**files, chosen: files[chosen][:length]}


def _png() -> bytes:
    file = BytesIO()
    Image.new("L", (8, 6), 90).save(file, "PNG")
    return file.getvalue()


def _zip() -> bytes:
    file = BytesIO()
    with ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "text")
    return file.getvalue()


OTHER_FILES: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"ZEBRA^QUAGGA was here\n",
    "PNG": _png,
    "zip": _zip,
    "preamble only": lambda: bytes(128) + b"DICM",
    "zeros": lambda: bytes(4000),
    "pickle": lambda: b"\x80\x04\x95\x0b\x00\x00\x00",
}


@st.composite
def file_damage(draw: Callable[..., Any], names: Sequence[str]) -> Damaged:
    """Remove, double or replace files, or exchange them with those of another series."""
    name = draw(st.sampled_from(names))
    files = dict(base(name))
    chosen = draw(st.sampled_from(list(files)))
    kind = draw(st.sampled_from(["remove", "double", "exchange", "add", "other", "no meta", "no preamble", "rename"]))
    detail = ""
    if kind == "remove":
        del files[chosen]
        files = files or {"readme.txt": b"nothing"}
    elif kind == "double":
        files[f"copy of {chosen}"] = files[chosen]
    elif kind in ("exchange", "add"):
        detail = draw(st.sampled_from([other for other in names if other != name]))
        data = draw(st.sampled_from(list(base(detail).values())))
        files[chosen if kind == "exchange" else "added.dcm"] = data
    elif kind == "other":
        detail = draw(st.sampled_from(list(OTHER_FILES)))
        files[chosen] = OTHER_FILES[detail]()
    elif kind == "rename":
        detail = draw(
            st.sampled_from(["slice", "slice.png", "slice.nii", "slice.nrrd", "slice.zip", "DICOMDIR", "a.mha"])
        )
        files[detail] = files.pop(chosen)
    else:
        # The length of group 2, at byte 140, gives its end.
        start = 132 if kind == "no preamble" else 144 + int.from_bytes(files[chosen][140:144], "little")
        files[chosen] = files[chosen][start:]
    return f"{name}: {kind} {detail} of {chosen}", files
