"""Identifiers in the header of a DICOM file: at the top level, in sequences, private, and in the file meta."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from s3net_monai.inference.discovery import spellings
from s3net_monai.inference.discovery.identifying_attributes import PROFILE_VRS, holds_identifier, is_in_profile
from s3net_monai.inference.discovery.spellings import MAX_LENGTH, MAX_TEXT, Identifier
from s3net_monai.io.limits import MAX_SEQUENCE_DEPTH

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.tag import BaseTag

MAX_CACHED = 100_000  # values; bounds the memory of a run over millions of files
_MAX_CACHED_BYTES = 4 * MAX_LENGTH  # of a value; longer ones are not kept in memory
_MAX_CACHED_SEQUENCE = 16_384  # bytes
_MAX_BINARY = 256  # bytes of a binary value (OB) that may be text
_ITEM = b"\xfe\xff\x00\xe0"  # the tag with which an item of a sequence begins, in little endian
_CHARSET = 0x0008_0005
_ENCODED_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_PADDING = " \0\r\n\t\f"
_WITHOUT_LINES = dict.fromkeys(map(ord, "\r\n\t\f"))  # for the test whether bytes are text
_ONE_VALUE_VRS = frozenset({"LT", "ST", "UR", "UT"})  # a backslash in them separates nothing


class _Surroundings(NamedTuple):
    """Where a data set is.

    Attributes:
        encodings: Python's names of the encodings of its texts.
        whole: whether it is an item of a sequence of the profile, of which everything identifies.
        depth: number of sequences around it.
    """

    encodings: tuple[str, ...] = ("iso8859",)
    whole: bool = False
    depth: int = 0


class IdentifierCollector:
    """Collects the identifiers of many headers.

    The headers of a series repeat each other, so every distinct value is looked at once.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], frozenset[Identifier]] = {}

    def collect(self, dataset: Dataset) -> frozenset[Identifier]:
        """Return the identifiers in a data set and its file meta information; what is damaged is passed over."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom's quote values
            parts = (getattr(dataset, "file_meta", None), dataset)
            return frozenset().union(*(self._of(part, _Surroundings()) for part in parts if part is not None))

    def _of(self, dataset: Dataset, around: _Surroundings) -> set[Identifier]:
        around = around._replace(encodings=_encodings(dataset) or around.encodings)
        found: set[Identifier] = set()
        for tag in list(dataset.keys()):
            element: Any = dataset.get_item(tag)
            vr = _vr_to_collect(tag, element.VR, around.whole)
            if vr == "UN" and isinstance(element.value, bytes) and element.value.startswith(_ITEM):
                found |= self._of_items(element.value, tag, around)
            elif vr and isinstance(element.value, bytes):
                found |= self._of_bytes(element.value, vr, dataset, tag, around)
            elif vr == "SQ":
                found |= self._of_sequence(dataset, tag, around)
            elif vr:
                found.update(_identifiers(vr, _converted(element.value)))
        return found

    def _of_bytes(
        self, value: bytes, vr: str, dataset: Dataset, tag: BaseTag, around: _Surroundings
    ) -> AbstractSet[Identifier]:
        """Return the identifiers in a value that pydicom has not converted, from memory where it is known."""
        if vr == "OB" and len(value) > _MAX_BINARY:
            return frozenset()
        if vr != "SQ":
            value = value[: 4 * MAX_TEXT]  # a character has up to four bytes
        if len(value) > (_MAX_CACHED_SEQUENCE if vr == "SQ" else _MAX_CACHED_BYTES):
            return self._read_bytes(value, vr, dataset, tag, around)
        key = (vr, value, around, vr == "SQ" and tag)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= MAX_CACHED:
                self._known.clear()
            known = frozenset(self._read_bytes(value, vr, dataset, tag, around))
            self._known[key] = known
        return known

    def _read_bytes(
        self, value: bytes, vr: str, dataset: Dataset, tag: BaseTag, around: _Surroundings
    ) -> set[Identifier]:
        if vr == "SQ":
            return self._of_sequence(dataset, tag, around)
        return set(_identifiers(vr, _decoded(vr, value, around.encodings)))

    def _of_items(self, value: bytes, tag: BaseTag, around: _Surroundings) -> set[Identifier]:
        """Return the identifiers in a sequence whose VR is not known; it is in implicit VR (PS3.5 section 6.2.2)."""
        from pydicom import DataElement, Dataset
        from pydicom.values import convert_SQ

        dataset = Dataset()
        try:
            dataset[tag] = DataElement(tag, "SQ", convert_SQ(value, True, True, list(around.encodings)))
        except Exception:  # no sequence, or a damaged one
            return set()
        return self._of_sequence(dataset, tag, around)

    def _of_sequence(self, dataset: Dataset, tag: BaseTag, around: _Surroundings) -> set[Identifier]:
        if around.depth >= MAX_SEQUENCE_DEPTH:
            return set()
        inside = around._replace(whole=around.whole or is_in_profile(tag), depth=around.depth + 1)
        try:
            return set().union(*(self._of(item, inside) for item in dataset[tag].value or ()))
        except Exception:  # damaged data raises all kinds of errors in pydicom; the reader reports it
            return set()


def collect_identifiers(dataset: Dataset) -> frozenset[Identifier]:
    """Return the identifiers in one data set."""
    return IdentifierCollector().collect(dataset)


@lru_cache(maxsize=1 << 16)
def _vr_to_collect(tag: BaseTag, stated: str | None, whole: bool) -> str:
    """Return the value representation of an attribute that may hold identifiers, and an empty string for another one.

    It is the dictionary's where a file states none, as in implicit VR.
    """
    vr = stated or "UN"
    if vr == "UN" and not tag.is_private:
        from pydicom.datadict import dictionary_VR

        with suppress(KeyError):
            vr = dictionary_VR(tag).partition(" ")[0]
    if vr == "SQ":
        return vr
    if tag.is_private_creator or not (holds_identifier(tag, vr) or (whole and vr in PROFILE_VRS)):
        return ""
    return vr


def _encodings(dataset: Dataset) -> tuple[str, ...]:
    from pydicom.charset import convert_encodings

    try:
        stated = dataset.get(_CHARSET)
        return tuple(convert_encodings(stated.value)) if stated is not None and stated.value else ()
    except Exception:  # damaged, or unknown to pydicom
        return ()


def _decoded(vr: str, value: bytes, encodings: tuple[str, ...]) -> Iterator[str]:
    """Yield the values in the bytes of an attribute, in every reading of their letters that makes sense."""
    for text in _readings(vr, value, encodings):
        stripped = text[:MAX_TEXT].strip(_PADDING)
        if vr in ("OB", "UN") and not stripped.translate(_WITHOUT_LINES).isprintable():
            continue
        yield from [stripped] if vr in _ONE_VALUE_VRS else stripped.split("\\")


def _readings(vr: str, value: bytes, encodings: tuple[str, ...]) -> set[str]:
    """Return a text by its stated character set, by Latin-1, which is often left unstated, and by UTF-8 if it may be.

    Letters in valid UTF-8 are hardly ever anything else, whatever a header says.
    """
    from pydicom.charset import decode_bytes

    readings = set()
    if vr in _ENCODED_VRS or vr == "UN":
        with suppress(Exception):  # damaged, or no text
            readings.add(decode_bytes(value, list(encodings), {0x5C, 0x5E, 0x3D}))
    if vr not in _ENCODED_VRS and (vr != "OB" or value.isascii()):
        readings.add(value.decode("latin-1"))
    if not value.isascii():
        with suppress(UnicodeDecodeError):
            readings.add(value.decode("utf-8"))
    return readings


def _converted(value: Any) -> Iterator[str]:
    """Yield the texts of a value that pydicom has converted, also as UTF-8 where they were taken for Latin-1."""
    is_one = value is None or isinstance(value, str) or hasattr(value, "components") or not hasattr(value, "__iter__")
    for text in (str(item) for item in ([value] if is_one else value) if item is not None):
        yield text
        if not text.isascii():
            with suppress(UnicodeError):
                yield text.encode("latin-1").decode("utf-8")


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
            if vr == "UN" and "^" in text:
                yield from spellings.names(text)
