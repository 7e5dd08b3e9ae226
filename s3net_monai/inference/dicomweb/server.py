"""Connection to a DICOMweb server: address, credentials, and the meaning of its errors."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.printing import get_logger

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient

EXAMPLE_URL = "http://127.0.0.1:8042/dicom-web"
USER_VARIABLE = "S3NET_DICOMWEB_USER"
PASSWORD_VARIABLE = "S3NET_DICOMWEB_PASSWORD"
TOKEN_VARIABLE = "S3NET_DICOMWEB_TOKEN"
LOOPBACK = ("localhost", "127.0.0.1")
TIMEOUT_SECONDS = (10.0, 120.0)  # to connect, and without receiving a byte
RETRIES = 3
RETRY_STATUSES = (429, 502, 503, 504)  # HTTP statuses after which a request is repeated
MAX_INSTANCE_BYTES = 4 * 2**30  # one instance is held in memory
NOISY_LOGGERS = ("dicomweb_client", "retrying", "urllib3")  # they log addresses, which contain UIDs in DICOMweb
FATAL_STATUSES = (0, 401, 403, *RETRY_STATUSES)  # 0: no response at all

logger = get_logger(__name__)


@contextmanager
def connect(url: str) -> Iterator[DICOMwebClient]:
    """Yield a client of the server at ``url``, and raise failures of the whole server as ``UsageError``.

    Credentials are the user and password in ``url``; otherwise a token, or user and password, from the environment. A
    ``.netrc`` is not read. ``requests`` takes proxies and certificate authorities from the environment. Redirects are
    not followed: they could send images, or the credentials for them, to another machine.

    Args:
        url: root of the server's DICOMweb services.

    Raises:
        UsageError: for an invalid address or credentials that would be sent unencrypted; within the block, for a
            server that is not reachable, refuses access, redirects, or is no DICOMweb server.
    """
    from dicomweb_client import DICOMwebClient
    from requests import RequestException, Session
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    split = _split(url)
    address = _address(split)
    with Session() as session, _silence(NOISY_LOGGERS):
        session.auth = _authorization(split)
        session.max_redirects = 0
        session.headers["Accept"] = (
            "application/dicom+json"  # for STOW responses; searches and retrievals set their own
        )
        session.headers["Accept-Encoding"] = "identity"  # makes Content-Length the size in memory
        retry = Retry(
            RETRIES,
            status_forcelist=RETRY_STATUSES,
            backoff_factor=0.3,
            raise_on_status=False,
            respect_retry_after_header=False,  # a server may request hours
        )
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        client = DICOMwebClient(address, session=session, callback=_refuse_huge, timeout=TIMEOUT_SECONDS)
        client.set_http_retry_params(retry=False)  # urllib3 retries, also after a lost connection
        try:
            yield client
        except RequestException as error:
            # Without the cause: the messages of requests and urllib3 contain the whole address with its UIDs.
            raise UsageError(f"{address}: {server_problem(error)}") from None


def is_fatal(error: Exception) -> bool:
    """Return whether the next request would fail too: because of the server, its permissions, or a full local disk."""
    return isinstance(error, OSError) and _status(error) in FATAL_STATUSES  # exceptions of requests are OSErrors too


def server_problem(error: Exception) -> str:
    """Describe a failed request and its remedy, without UIDs and credentials."""
    from requests import exceptions

    status = _status(error)
    if isinstance(error, exceptions.TooManyRedirects):
        headers = error.response.headers if error.response is not None else {}
        host = urlsplit(headers.get("Location", "")).hostname or "another address"
        return f"redirects to {host}; give the final address of the server"
    if status in (401, 403):
        return f"access refused (HTTP {status}); check {USER_VARIABLE} and {PASSWORD_VARIABLE}, or {TOKEN_VARIABLE}"
    if status:
        return f"the server responded with HTTP {status}; see its log"
    if isinstance(error, exceptions.InvalidJSONError):
        return f"the response is not DICOM JSON; give the root of the server's DICOMweb services, such as {EXAMPLE_URL}"
    if isinstance(error, exceptions.SSLError):
        return "its certificate is not trusted; set REQUESTS_CA_BUNDLE to the file of the authority that signed it"
    if isinstance(error, exceptions.Timeout):
        return "no response in time; check the address, the server and the network between"
    return "not reachable, or the connection was lost; check the address and that the server is running"


def _status(error: Exception) -> int:
    """The HTTP status of a request that received an error response, else 0."""
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
        # The address itself is not repeated, since it may contain a password.
        raise UsageError(f"--dicomweb: not the address of a DICOMweb server; give one such as {EXAMPLE_URL}")
    return split


def _address(split: SplitResult) -> str:
    port = f":{split.port}" if split.port else ""
    return f"{split.scheme}://{split.hostname}{port}{split.path.rstrip('/')}"


def _authorization(split: SplitResult) -> Any:
    """The authentication for ``requests``; without credentials, a callable that keeps it from reading ``.netrc``."""
    from requests.auth import HTTPBasicAuth

    user, password, token = _credentials(split)
    if (user or token) and split.scheme == "http" and split.hostname not in LOOPBACK:
        raise UsageError(
            f"{_address(split)}: user, password or token would be sent unencrypted; give an https address, or the "
            "local end of an encrypted tunnel"
        )
    if split.scheme == "http" and split.hostname not in LOOPBACK:
        logger.warning("%s: images are sent unencrypted; give an https address", _address(split))
    if user:
        return HTTPBasicAuth(user.encode(), password.encode())  # as bytes, since text would be encoded as Latin-1

    def authorize(request: Any) -> Any:
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    return authorize


def _credentials(split: SplitResult) -> tuple[str, str, str]:
    """User, password and token; empty strings for those that are absent."""
    if split.username:
        return unquote(split.username), unquote(split.password or ""), ""
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if token:
        return "", "", token
    return os.environ.get(USER_VARIABLE, ""), os.environ.get(PASSWORD_VARIABLE, ""), ""


def _refuse_huge(response: Any, *_: Any, **__: Any) -> Any:
    """Response hook that refuses an instance before its body is read into memory."""
    size = response.headers.get("Content-Length", "")
    if size.isdigit() and int(size) > MAX_INSTANCE_BYTES:
        response.close()
        raise ValueError(f"{int(size) / 2**30:.1f} GiB, more than {MAX_INSTANCE_BYTES / 2**30:.0f} GiB")
    return response


@contextmanager
def _silence(names: tuple[str, ...]) -> Iterator[None]:
    loggers = [get_logger(name) for name in names]
    levels = [library_logger.level for library_logger in loggers]
    for library_logger in loggers:
        library_logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for library_logger, level in zip(loggers, levels, strict=True):
            library_logger.setLevel(level)
