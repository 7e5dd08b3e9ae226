"""Read search results (DICOM JSON, PS3.18 annex F) item by item, in memory that does not depend on their size."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from s3net_monai.inference.dicomweb import limits

BLOCK_BYTES = 2**14  # parsed at a time; every two bytes can be one event

_VALUE_DEPTH = 4  # array of items, item, attribute, its Value


def read_items(file: IO[bytes], keywords: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield the first values of the given attributes of every item, by keyword.

    An attribute without a value is left out. Of longer texts, ``limits.TEXT_LENGTH`` and one more characters are left.

    Args:
        file: an array of items, one item, or nothing.
        keywords: of attributes whose values are text or numbers.

    Raises:
        InvalidJSONError: (of requests) for anything else.
    """
    import ijson
    from pydicom.datadict import tag_for_keyword
    from requests.exceptions import InvalidJSONError

    builder = _Builder({f"{tag_for_keyword(keyword):08X}": keyword for keyword in keywords})
    events = ijson.sendable_list()
    parser = ijson.basic_parse_coro(events, use_float=True)
    empty = True
    unfinished = 0  # bytes since the last event; a parser keeps an unfinished value in memory
    try:
        # RFC 8259 section 8.1 lets a reader ignore a byte order mark.
        block = file.read(BLOCK_BYTES).removeprefix(BOM_UTF8)
        while block:
            empty = empty and not block.strip()
            parser.send(block)
            unfinished = 0 if events else unfinished + len(block)
            if unfinished > limits.VALUE_BYTES:
                raise ValueError("a value without end")
            yield from builder.take(events)
            block = file.read(BLOCK_BYTES)
        if not empty:
            parser.close()
            yield from builder.take(events)
    except (ijson.JSONError, ValueError):  # their texts quote the answer
        raise InvalidJSONError("not DICOM JSON") from None


@dataclass
class _Builder:
    """Builds items from the events of a JSON parser.

    Attributes:
        keywords: of the wanted attributes, by tag as in DICOM JSON.
    """

    keywords: dict[str, str]
    _depth: int | None = None  # of arrays and objects; None before the first event
    _tag: str = ""
    _in_value: bool = False
    _item: dict[str, Any] = field(default_factory=dict)

    def take(self, events: list[tuple[str, Any]]) -> Iterator[dict[str, Any]]:
        """Use up the events, and yield the items that they complete.

        Raises:
            ValueError: for what is not made of items.
        """
        for event, value in events:
            if self._completes(event, value):
                yield self._item
        events.clear()

    def _completes(self, event: str, value: Any) -> bool:
        if self._depth is None:
            self._depth = int(event == "start_map")  # one item without an array around it
        if event in ("start_map", "start_array"):
            self._depth += 1
            if self._depth > limits.ITEM_DEPTH or (self._depth == 2 and event != "start_map"):
                raise ValueError("not an item")
            if self._depth == 2:
                self._item = {}
        elif event in ("end_map", "end_array"):
            self._depth -= 1
            return self._depth == 1 and event == "end_map"
        elif event == "map_key":
            self._enter(value)
        elif self._depth < 2:
            raise ValueError("not an item")
        elif self._depth == _VALUE_DEPTH and self._in_value and value is not None:
            kept = value[: limits.TEXT_LENGTH + 1] if isinstance(value, str) else value
            self._item.setdefault(self.keywords[self._tag], kept)
        return False

    def _enter(self, key: str) -> None:
        if self._depth == 2:
            self._tag, self._in_value = key, False
        elif self._depth == 3:
            self._in_value = key == "Value" and self._tag in self.keywords
