"""The meaning of failures of a DICOMweb server."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

from s3net_monai.inference.dicomweb import limits
from s3net_monai.inference.dicomweb.retry_after import seconds_to_wait

EXAMPLE_URL = "http://127.0.0.1:8042/dicom-web"
USER_VARIABLE = "S3NET_DICOMWEB_USER"
PASSWORD_VARIABLE = "S3NET_DICOMWEB_PASSWORD"
TOKEN_VARIABLE = "S3NET_DICOMWEB_TOKEN"
FATAL_STATUSES = (0, 401, 403, *limits.RETRY_STATUSES)  # 0: no response at all


class AnswerError(OSError):
    """An answer that breaks a limit or the protocol; the message is for users and has no address, UID or value."""


class ItemError(AnswerError):
    """As ``AnswerError``, but only one image or series is affected."""


def is_fatal(error: Exception) -> bool:
    """Return whether the next request would fail too: because of the server, its permissions, or a full local disk.

    An answer that was cut short at every try says nothing about the next one: the server could be reached each time.
    Silence within an answer at every try is fatal, although the same holds for it: it takes minutes, and a server that
    hangs would cost them again for every series.
    """
    from requests.exceptions import ChunkedEncodingError

    if isinstance(error, (ItemError, ChunkedEncodingError)):
        return False
    return isinstance(error, OSError) and _status(error) in FATAL_STATUSES  # exceptions of requests are OSErrors too


def server_problem(error: Exception) -> str:
    """Describe a failed request and its remedy, without UIDs and credentials."""
    from requests import exceptions

    if isinstance(error, AnswerError):
        return str(error)
    status = _status(error)
    if isinstance(error, exceptions.TooManyRedirects):
        return f"redirects to {_redirect_host(error.response)}; give the final address of the server"
    if status in (401, 403):
        return f"access refused (HTTP {status}); check {USER_VARIABLE} and {PASSWORD_VARIABLE}, or {TOKEN_VARIABLE}"
    if status in limits.BUSY_STATUSES and (wait := seconds_to_wait(error.response.headers)):  # type: ignore[attr-defined]
        return f"the server is busy (HTTP {status}) and asks to come back {_moment(wait)}; start again then"
    if status:
        return f"the server responded with HTTP {status}; see its log"
    if isinstance(error, exceptions.InvalidJSONError):
        return f"the response is not DICOM JSON; give the root of the server's DICOMweb services, such as {EXAMPLE_URL}"
    if isinstance(error, exceptions.SSLError):
        return "its certificate is not trusted; set REQUESTS_CA_BUNDLE to the file of the authority that signed it"
    if isinstance(error, exceptions.Timeout) or _was_silent(error):
        return "no response in time; check the address, the server and the network between"
    if isinstance(error, exceptions.ChunkedEncodingError):
        return "the connection was lost within an answer; check the server and the network between"
    return "not reachable, or the connection was lost; check the address and that the server is running"


def _was_silent(error: Exception) -> bool:
    """Return whether no answer began at any try, which ``requests`` raises as any error of a connection."""
    from urllib3.exceptions import MaxRetryError, ReadTimeoutError

    cause = error.args[0] if error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, ReadTimeoutError)


def _status(error: Exception) -> int:
    """The HTTP status of a request that received an error response, else 0."""
    from requests import HTTPError

    if isinstance(error, HTTPError) and error.response is not None:
        return int(error.response.status_code)
    return 0


def _redirect_host(response: Any) -> str:
    """The host that a redirect names; its text is the server's, so anything but a host name is not repeated."""
    try:
        host = urlsplit(response.headers.get("Location", "")).hostname or ""
    except ValueError:
        host = ""
    return host if re.fullmatch(r"[a-z0-9.:-]{1,253}", host) else "another address"


def _moment(wait: float) -> str:
    """``at 2026-05-01 14:30 UTC``, rounded up to the minute."""
    try:
        moment = datetime.now(timezone.utc) + timedelta(seconds=wait + 59)
    except OverflowError:
        return "in more than a thousand years"
    return f"at {moment:%Y-%m-%d %H:%M} UTC"
