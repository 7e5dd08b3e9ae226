"""Identifiers in the header of a DICOM file: at the top level, in sequences, private, and in the file meta."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from s3net_monai.inference.discovery import spellings
from s3net_monai.inference.discovery.identifying_attributes import PROFILE_VRS, holds_identifier, is_in_profile
from s3net_monai.inference.discovery.spellings import MAX_LENGTH, Identifier
from s3net_monai.io.limits import MAX_SEQUENCE_DEPTH

if TYPE_CHECKING:
    from pydicom import Dataset

MAX_CACHED = 100_000  # values; bounds the memory of a run over millions of files
MAX_BINARY = 256  # bytes of a value of VR OB or UN that may be a text
_CHARSET = 0x0008_0005
_ENCODED_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_ONE_VALUE_VRS = frozenset({"LT", "ST", "UR", "UT"})  # a backslash in them separates nothing


class IdentifierCollector:
    """Collects the identifiers of many headers.

    The headers of a series repeat each other, so every distinct value is looked at once.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], frozenset[Identifier]] = {}

    def collect(self, dataset: Dataset) -> frozenset[Identifier]:
        """Return the identifiers in a data set and its file meta information; what is damaged is passed over."""
        found: set[Identifier] = set()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's quote values
            for part in (getattr(dataset, "file_meta", None), dataset):
                if part is not None:
                    self._collect(part, found, ("iso8859",), whole=False, depth=0)
        return frozenset(found)

    def _collect(
        self, dataset: Dataset, found: set[Identifier], encodings: tuple[str, ...], *, whole: bool, depth: int
    ) -> None:
        """Add the identifiers of a data set; with ``whole``, those of an item of a sequence that identifies as such."""
        encodings = _encodings(dataset) or encodings
        for tag in list(dataset.keys()):
            element: Any = dataset.get_item(tag, keep_deferred=True)
            vr = _vr(int(tag), element.VR)
            if vr != "SQ":
                if tag.is_private_creator or not (holds_identifier(tag, vr) or (whole and vr in PROFILE_VRS)):
                    continue
                found |= self._of_value(int(tag), vr, element.value, encodings)
            elif depth < MAX_SEQUENCE_DEPTH:
                try:
                    items = dataset[tag].value
                except Exception:  # damaged data raises all kinds of errors in pydicom; the reader reports it
                    continue
                for item in items or ():
                    self._collect(item, found, encodings, whole=whole or is_in_profile(int(tag)), depth=depth + 1)

    def _of_value(self, tag: int, vr: str, value: Any, encodings: tuple[str, ...]) -> frozenset[Identifier]:
        if not isinstance(value, bytes):
            return frozenset(_identifiers(vr, _converted(value)))
        if len(value) > 4 * MAX_LENGTH or (vr in ("OB", "UN") and len(value) > MAX_BINARY):
            return frozenset()
        key = (vr, value, encodings)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= MAX_CACHED:
                self._known.clear()
            known = self._known[key] = frozenset(_identifiers(vr, _decoded(vr, value, encodings)))
        return known


def collect_identifiers(dataset: Dataset) -> frozenset[Identifier]:
    """Return the identifiers in one data set."""
    return IdentifierCollector().collect(dataset)


def _vr(tag: int, stated: str | None) -> str:
    """Return the value representation; the dictionary's where a file states none, as in implicit VR."""
    from pydicom.datadict import dictionary_VR

    if stated not in (None, "UN") or tag >> 16 & 1:
        return str(stated or "UN")
    try:
        return dictionary_VR(tag).partition(" ")[0]
    except KeyError:
        return "UN"


def _encodings(dataset: Dataset) -> tuple[str, ...]:
    from pydicom.charset import convert_encodings

    try:
        stated = dataset.get(_CHARSET)
        return tuple(convert_encodings(stated.value)) if stated is not None and stated.value else ()
    except Exception:  # damaged, or unknown to pydicom
        return ()


def _decoded(vr: str, value: bytes, encodings: tuple[str, ...]) -> Iterator[str]:
    from pydicom.charset import decode_bytes

    try:
        if vr in _ENCODED_VRS:
            text = decode_bytes(value, list(encodings), {0x5C, 0x5E, 0x3D})
        else:
            text = value.decode("utf-8" if vr in ("OB", "UN") else "latin-1")
    except Exception:  # damaged, or no text
        return
    text = text.strip(" \0\r\n\t")
    if vr in ("OB", "UN") and not text.isprintable():
        return
    yield from [text] if vr in _ONE_VALUE_VRS else text.split("\\")


def _converted(value: Any) -> Iterator[str]:
    """Yield the texts of a value that pydicom has converted."""
    is_one = value is None or isinstance(value, str) or hasattr(value, "components") or not hasattr(value, "__iter__")
    yield from (str(item) for item in ([value] if is_one else value) if item is not None)


def _identifiers(vr: str, values: Iterable[str]) -> Iterator[Identifier]:
    for text in (value.strip(" \0") for value in values):
        if not text:
            continue
        if vr == "PN":
            yield from spellings.names(text)
        elif vr == "DA":
            yield from spellings.date(text)
        elif vr == "TM":
            yield from spellings.time(text)
        elif vr == "DT":
            yield from spellings.date(text)
            yield from spellings.time(text[8:])
        elif vr == "UI":
            yield from spellings.uid(text)
        else:
            yield from spellings.value(text)
            yield from spellings.pieces(text)
            yield from spellings.embedded(text)
