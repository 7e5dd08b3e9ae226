"""How to talk to a DICOMweb server: its address, who may log in and how, and what its errors mean."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from s3net_monai.utils.errors import UsageError

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient

EXAMPLE = "http://127.0.0.1:8042/dicom-web"
USER, PASSWORD, TOKEN = "S3NET_DICOMWEB_USER", "S3NET_DICOMWEB_PASSWORD", "S3NET_DICOMWEB_TOKEN"
LOOPBACK = ("localhost", "127.0.0.1")
TIMEOUT = (10.0, 120.0)  # seconds to connect, seconds without a byte
RETRIES = 3
BUSY = (429, 502, 503, 504)  # HTTP statuses worth another attempt
MAX_INSTANCE_BYTES = 4 * 2**30  # one instance is held in memory
NOISY_LOGGERS = (
    "dicomweb_client",
    "retrying",
    "urllib3",
)  # libraries that log addresses, in which DICOMweb has the UIDs

FATAL_STATUSES = (0, 401, 403, *BUSY)  # 0: no answer at all

logger = logging.getLogger(__name__)


def public_address(url: str) -> str:
    """The server's address without user and password, as messages may show it.

    Raises:
        UsageError: when ``url`` is no address of a DICOMweb server.
    """
    return _address(_split(url))


@contextmanager
def connected(url: str) -> Iterator[DICOMwebClient]:
    """A client of the server at ``url``; what goes wrong with the server as a whole becomes a ``UsageError``.

    ``url`` is the root of the server's DICOMweb services. User and password are taken from it, else a token, else user
    and password from the environment; a ``.netrc`` is not read. Proxies and certificate authorities are those of the
    environment, as ``requests`` finds them. Redirects are not followed: they could carry images, or the right to see
    them, to another machine.

    Raises:
        UsageError: for an unusable address, credentials that would travel unencrypted, and, out of the block, a server
            that is not there, refuses access, redirects, or is no DICOMweb server.
    """
    from dicomweb_client import DICOMwebClient
    from requests import RequestException, Session
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    split = _split(url)
    address = _address(split)
    with Session() as session, _silent(NOISY_LOGGERS):
        session.auth = _authorization(split)
        session.max_redirects = 0
        session.headers["Accept"] = "application/dicom+json"  # of a STOW response; searches and retrievals set theirs
        session.headers["Accept-Encoding"] = "identity"  # so that Content-Length is the size in memory
        retry = Retry(
            RETRIES,
            status_forcelist=BUSY,
            backoff_factor=0.3,
            raise_on_status=False,
            respect_retry_after_header=False,  # a server may ask for hours
        )
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        client = DICOMwebClient(address, session=session, callback=_refuse_huge, timeout=TIMEOUT)
        client.set_http_retry_params(retry=False)  # urllib3 does it, for lost connections too
        try:
            yield client
        except RequestException as error:
            # Without the cause: requests and urllib3 put the whole address, UIDs included, into their texts.
            raise UsageError(f"{address}: {server_problem(error)}") from None


def is_fatal(error: Exception) -> bool:
    """Whether the next request would fail as well: for the server, the access to it, or a disk that is full here."""
    return isinstance(error, OSError) and _status(error) in FATAL_STATUSES  # what requests raises is an OSError, too


def server_problem(error: Exception) -> str:
    """What a failed request tells, and the remedy; holds neither UID nor credentials."""
    from requests import exceptions

    status = _status(error)
    if isinstance(error, exceptions.TooManyRedirects):
        headers = error.response.headers if error.response is not None else {}
        host = urlsplit(headers.get("Location", "")).hostname or "another address"
        return f"redirects to {host}; give the address at which the server answers itself"
    if status in (401, 403):
        return f"access refused (HTTP {status}); check {USER} and {PASSWORD}, or {TOKEN}"
    if status:
        return f"the server answered HTTP {status}; see its log"
    if isinstance(error, exceptions.InvalidJSONError):
        return f"the answer is not DICOM JSON; give the root of the server's DICOMweb services, such as {EXAMPLE}"
    if isinstance(error, exceptions.SSLError):
        return "its certificate is not trusted; let REQUESTS_CA_BUNDLE name the file of the authority that signed it"
    if isinstance(error, exceptions.Timeout):
        return "no answer in time; check the address, the server and what lies between"
    return "not reachable, or the connection was lost; check the address and that the server runs"


def _status(error: Exception) -> int:
    """The HTTP status of a request that was answered with a failure, else 0."""
    from requests import HTTPError

    if isinstance(error, HTTPError) and error.response is not None:
        return int(error.response.status_code)
    return 0


def _split(url: str) -> SplitResult:
    try:
        split = urlsplit(url)
        usable = split.scheme in ("http", "https") and bool(split.hostname) and split.port != 0
    except ValueError:
        usable = False
    if not usable or split.query or split.fragment or ":" in (split.hostname or ""):
        # The text itself is not repeated: it may hold a password.
        raise UsageError(f"--dicomweb: not the address of a DICOMweb server; give one such as {EXAMPLE}")
    return split


def _address(split: SplitResult) -> str:
    port = f":{split.port}" if split.port else ""
    return f"{split.scheme}://{split.hostname}{port}{split.path.rstrip('/')}"


def _authorization(split: SplitResult) -> Any:
    """What ``requests`` calls to log in; where there are no credentials, a call that keeps it from looking for some."""
    from requests.auth import HTTPBasicAuth

    user, password, token = _credentials(split)
    if (user or token) and split.scheme == "http" and split.hostname not in LOOPBACK:
        raise UsageError(
            f"{_address(split)}: user, password or token would travel unencrypted; give an https address, or the local "
            "end of an encrypted tunnel"
        )
    if split.scheme == "http" and split.hostname not in LOOPBACK:
        logger.warning("%s: images travel unencrypted; give an https address", _address(split))
    if user:
        return HTTPBasicAuth(user.encode(), password.encode())  # bytes, as it would take text for Latin-1

    def authorize(request: Any) -> Any:
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authorize


def _credentials(split: SplitResult) -> tuple[str, str, str]:
    """User, password, token; empty where there is none."""
    if split.username:
        return unquote(split.username), unquote(split.password or ""), ""
    token = os.environ.get(TOKEN, "").strip()
    if token:
        return "", "", token
    return os.environ.get(USER, ""), os.environ.get(PASSWORD, ""), ""


def _refuse_huge(response: Any, *_: Any, **__: Any) -> Any:
    """Response hook, before the body is read into memory."""
    size = response.headers.get("Content-Length", "")
    if size.isdigit() and int(size) > MAX_INSTANCE_BYTES:
        response.close()
        raise ValueError(f"{int(size) / 2**30:.1f} GiB, more than {MAX_INSTANCE_BYTES / 2**30:.0f} GiB")
    return response


@contextmanager
def _silent(names: tuple[str, ...]) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in names]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
