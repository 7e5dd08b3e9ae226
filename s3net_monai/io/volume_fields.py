"""The fields of NRRD and MetaImage headers as text, read strictly."""

from __future__ import annotations

import re
from pathlib import Path

from s3net_monai.io.limits import MAX_VOLUME_HEADER
from s3net_monai.utils.errors import CaseError

_META_PER_AXIS = {"DimSize", "ElementSpacing", "ElementSize", "Offset", "Origin", "Position", "CenterOfRotation"}
_META_PER_MATRIX = {"TransformMatrix", "Rotation", "Orientation"}
_META_SAME = (  # names of one field, of which each program takes another one
    ("Offset", "Origin", "Position"),
    ("TransformMatrix", "Rotation", "Orientation"),
    ("BinaryDataByteOrderMSB", "ElementByteOrderMSB"),
)
# also keys of other formats that ITK carries along: dim[0] of NIfTI, 0008|0060 of DICOM
_META_LINE = re.compile(r"(\w[\w.\-\[\]| ]*?)\s*=\s*(.*?)\s*")


def damaged(path: Path, problem: str) -> CaseError:
    """Return the error that names a damaged header."""
    return CaseError(f"{path.name}: damaged header ({problem}); save the volume again")


def nrrd_fields(path: Path, text: str) -> tuple[dict[str, str], int]:
    """Return the fields up to the first empty line, and the header's length in bytes.

    Names are in lower case without blanks.

    Args:
        path: the file, for messages.
        text: its first ``MAX_VOLUME_HEADER`` bytes as Latin-1.
    """
    if not text.startswith("NRRD000"):
        raise damaged(path, "it does not begin with NRRD")
    end = re.search("\r?\n\r?\n", text)
    header = text[: end.start()] if end else text
    if len(header) == MAX_VOLUME_HEADER:
        raise damaged(path, "it does not end")
    fields: dict[str, str] = {}
    for line in re.split("\r?\n", header.rstrip("\r\n"))[1:]:
        if line.startswith("#") or ":=" in line:
            if "\r" in line:
                raise damaged(path, "a control character")
            continue
        name, colon, value = line.partition(":")
        key = "".join(name.lower().split())
        if not colon or not line.isprintable() or key in fields:
            if fields.get("datafile", "").startswith("LIST"):
                continue
            raise damaged(path, f"field '{key[:20]}' twice" if key in fields else "a line that is not a field")
        fields[key] = value.strip()
    return fields, end.end() if end else len(text)


def meta_fields(path: Path, text: str) -> tuple[dict[str, str], int]:
    """Return the fields up to ElementDataFile, which ends the header, and the header's length in bytes.

    The spelling is checked, as the library is strict about it. Arguments are those of ``nrrd_fields``.
    """
    fields: dict[str, str] = {}
    length = 0
    for line in text.split("\n"):
        length += len(line) + 1
        line = line.removesuffix("\r")
        match = _META_LINE.fullmatch(line) if len(line) <= 4096 and line.isprintable() else None
        if not match or match[1] in fields:
            raise damaged(path, "a line that is not a field")
        fields[match[1]] = match[2]
        if match[1].lower() == "elementdatafile":
            break
    if "ElementDataFile" not in fields:
        raise damaged(path, "no ElementDataFile")
    axes = fields.get("NDims", "")
    if not re.fullmatch("[1-9]", axes):
        raise damaged(path, "no NDims")
    for name, count in [(n, int(axes)) for n in _META_PER_AXIS] + [(n, int(axes) ** 2) for n in _META_PER_MATRIX]:
        if name in fields and len(fields[name].split()) != count:
            raise damaged(path, f"{name} has not {count} values")
    for names in _META_SAME:
        stated = {name: _comparable(fields[name]) for name in names if name in fields}
        if len(set(stated.values())) > 1:
            raise damaged(path, f"{' and '.join(stated)} differ, which programs read differently")
    return fields, length


def meta_flag(fields: dict[str, str], name: str, default: str = "False") -> bool:
    """Return a field that is true or false, as MetaIO reads it: by its first letter."""
    return fields.get(name, default).lower().startswith(("t", "1"))


def _comparable(value: str) -> tuple[float, ...] | bool:
    try:
        return tuple(float(word) for word in value.split())
    except ValueError:
        return value.lower().startswith(("t", "1"))
