"""When a busy server asks to come back (Retry-After, RFC 9110 section 10.2.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime


def seconds_to_wait(headers: Mapping[str, str]) -> float:
    """Return the seconds from now until the server expects the next request; 0 if it does not say so.

    Args:
        headers: of the response; Retry-After holds a number of seconds or a date.
    """
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch("[0-9]{1,12}", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    if moment.tzinfo is None:  # "-0000": UTC, without a statement of the local time (RFC 5322 section 3.3)
        moment = moment.replace(tzinfo=timezone.utc)
    return max((moment - datetime.now(timezone.utc)).total_seconds(), 0.0)
