"""Search results in DICOM JSON (PS3.18 annex F)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def all_pages(search: Callable[[int | None], list[Any]], keyword: str) -> dict[str, dict[str, Any]]:
    """Results of ``search`` from an offset on, by the UID ``keyword``, until nothing new comes.

    A server that knows no offset repeats itself, which ends it as well.

    Raises:
        InvalidJSONError: (of requests) when the answer is something else than search results.
    """
    from requests.exceptions import InvalidJSONError

    found: dict[str, dict[str, Any]] = {}
    while True:
        known = len(found)
        for item in search(known or None):
            uid = first_value(item, keyword)
            if not uid:
                raise InvalidJSONError("not DICOM JSON")
            found.setdefault(str(uid), item)
        if len(found) == known:
            return found


def first_value(item: Any, keyword: str) -> Any:
    """First value of an attribute in DICOM JSON (PS3.18 annex F), or None."""
    from pydicom.datadict import tag_for_keyword

    attribute = item.get(f"{tag_for_keyword(keyword):08X}") if isinstance(item, dict) else None
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    return values[0] if isinstance(values, list) and values else None


def integer(item: Any, keyword: str) -> int:
    """An integer attribute in DICOM JSON; 0 where it is absent or no number."""
    try:
        return int(first_value(item, keyword) or 0)
    except (TypeError, ValueError):
        return 0
