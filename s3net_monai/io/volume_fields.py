"""The fields of NRRD and MetaImage headers as text, read strictly."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

from s3net_monai.io.limits import MAX_VOLUME_HEADER
from s3net_monai.utils.errors import CaseError

META_PER_AXIS = ("DimSize", "ElementSpacing", "ElementSize", "Offset", "Origin", "Position", "CenterOfRotation")
META_PER_MATRIX = ("TransformMatrix", "Rotation", "Orientation")
_META_SAME = (  # names of one field, of which each program takes another one
    ("Offset", "Origin", "Position"),
    ("TransformMatrix", "Rotation", "Orientation"),
    ("BinaryDataByteOrderMSB", "ElementByteOrderMSB"),
)
_META_USED = {  # by this package, or by ITK for the position and type of the voxels
    *META_PER_AXIS,
    *META_PER_MATRIX,
    *("ObjectType", "NDims", "AnatomicalOrientation", "DistanceUnits"),
    *("BinaryData", "BinaryDataByteOrderMSB", "ElementByteOrderMSB", "CompressedData", "CompressedDataSize"),
    *("HeaderSize", "ElementType", "ElementNumberOfChannels", "ElementDataFile"),
    *("ElementToIntensityFunctionSlope", "ElementToIntensityFunctionOffset"),
}
_NRRD_TEXT = {"content", "labels", "sampleunits"}  # of which nothing is used
_NRRD_STORAGE = {"datafile", "lineskip", "byteskip"}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]|\r(?!\n|\Z)")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


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
    _check_characters(path, header)
    fields: dict[str, str] = {}
    for line in re.split("\r?\n", header.rstrip("\r\n"))[1:]:
        pair = line.partition(":=")  # of a key and a value, unless a field's name ends before
        if line.startswith("#") or (pair[1] and ": " not in pair[0]):
            continue
        name, colon, value = line.replace("\t", " ").partition(":")
        key = "".join(name.lower().split())
        is_text = key in _NRRD_TEXT or (name + value).isprintable()
        if not colon or not is_text or key in fields:
            if fields.get("datafile", "").startswith("LIST"):
                continue
            raise damaged(path, f"field '{key[:20]}' twice" if key in fields else "a line that is not a field")
        fields[key] = value.strip()
    return fields, end.end() if end else len(text)


def meta_fields(path: Path, text: str) -> tuple[dict[str, str], int]:
    """Return the fields up to ElementDataFile, which ends the header, and the header's length in bytes.

    The spelling of those that are used is checked, as the library is strict about it. Arguments are those of
    ``nrrd_fields``.
    """
    fields: dict[str, str] = {}
    length = 0
    for line in text.split("\n"):
        length += len(line) + 1
        line = line.removesuffix("\r").replace("\t", " ")
        if not line.strip():
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        _check_characters(path, line)
        if not key or not equals or (key in _META_USED and (key in fields or not value.isprintable())):
            raise damaged(path, "a line that is not a field")
        if key not in _META_USED and any(_is_almost(key, used) for used in _META_USED):
            raise damaged(path, f"the field {key[:40]!r}")
        fields[key] = value
        if key.lower() == "elementdatafile":
            break
    if "ElementDataFile" not in fields:
        raise damaged(path, "no ElementDataFile")
    axes = fields.get("NDims", "")
    if not re.fullmatch("[1-9]", axes):
        raise damaged(path, "no NDims")
    for name, count in [(n, int(axes)) for n in META_PER_AXIS] + [(n, int(axes) ** 2) for n in META_PER_MATRIX]:
        words = fields.get(name, "").split()
        if name in fields and len(words) != count:
            raise damaged(path, f"{name} has not {count} values")
        if not all(_NUMBER.fullmatch(word) and math.isfinite(float(word)) for word in words):
            raise damaged(path, f"{name} is not of numbers")
    for names in _META_SAME:
        stated = {name: _comparable(fields[name]) for name in names if name in fields}
        if len(set(stated.values())) > 1:
            raise damaged(path, f"{' and '.join(stated)} differ, which programs read differently")
    return fields, length


def nrrd_for_itk(version: str, fields: Mapping[str, str]) -> bytes:
    """Return an NRRD header of the fields that place the voxels, as of one file, so that ITK opens no other.

    Args:
        version: first line of the header.
        fields: of ``nrrd_fields``.
    """
    lines = [f"{name}: {value}" for name, value in fields.items() if name not in _NRRD_STORAGE | _NRRD_TEXT]
    return "\n".join([version, *lines, "", ""]).encode("latin-1")


def meta_for_itk(fields: Mapping[str, str]) -> bytes:
    """Return a MetaImage header of the fields that are used, as of one file."""
    used = {**{name: value for name, value in fields.items() if name in _META_USED}, "ElementDataFile": "LOCAL"}
    return "".join(f"{name} = {value}\n" for name, value in used.items()).encode("latin-1")


def meta_flag(fields: dict[str, str], name: str, default: str = "False") -> bool:
    """Return a field that is true or false, as MetaIO reads it: by its first letter."""
    return fields.get(name, default).lower().startswith(("t", "1"))


def _comparable(value: str) -> tuple[float, ...] | bool:
    try:
        return tuple(float(word) for word in value.split())
    except ValueError:
        return value.lower().startswith(("t", "1"))


def _is_almost(key: str, used: str) -> bool:
    """Whether one character keeps a key from being a used one, or a colon, which separates it in other programs."""
    different = sum(one != other for one, other in zip(key, used, strict=False))
    return (len(key) == len(used) and different == 1) or key.partition(":")[0].strip() == used


def _check_characters(path: Path, text: str) -> None:
    if _CONTROL.search(text):
        raise damaged(path, "a control character")
