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
from s3net_monai.inference.discovery.spellings import MAX_LENGTH, Identifier
from s3net_monai.io.limits import MAX_SEQUENCE_DEPTH

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.tag import BaseTag

MAX_CACHED = 100_000  # values; bounds the memory of a run over millions of files
# Bytes of a value; a longer one is no text that a path could repeat. Longer sequences are not kept in memory.
_MAX_BYTES = {"OB": 256, "UN": 256, "SQ": 16384}
_CHARSET = 0x0008_0005
_ENCODED_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
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
            if vr and isinstance(element.value, bytes):
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
        if len(value) > _MAX_BYTES.get(vr, 4 * MAX_LENGTH):
            return self._of_sequence(dataset, tag, around) if vr == "SQ" else frozenset()
        key = (vr, value, around, vr == "SQ" and tag)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= MAX_CACHED:
                self._known.clear()
            if vr == "SQ":
                known = frozenset(self._of_sequence(dataset, tag, around))
            else:
                known = frozenset(_identifiers(vr, _decoded(vr, value, around.encodings)))
            self._known[key] = known
        return known

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
