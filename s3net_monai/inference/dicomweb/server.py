"""Connection to a DICOMweb server: its address, the credentials for it, and who may see them."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from s3net_monai.inference.dicomweb.limits import Allowance
from s3net_monai.inference.dicomweb.loopback import is_loopback
from s3net_monai.inference.dicomweb.problems import (
    EXAMPLE_URL,
    PASSWORD_VARIABLE,
    TOKEN_VARIABLE,
    USER_VARIABLE,
    AnswerError,
    server_problem,
)
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.printing import get_logger

if TYPE_CHECKING:
    from dicomweb_client import DICOMwebClient
    from requests import Response, Session

    from s3net_monai.inference.dicomweb.session import BoundedAdapter

NOISY_LOGGERS = ("dicomweb_client", "retrying", "urllib3", "python_multipart")  # the first log addresses with UIDs

logger = get_logger(__name__)


@dataclass(frozen=True)
class Server:
    """A DICOMweb server for searches, retrievals and storage.

    Attributes:
        address: root of its services, without credentials.
        client: for storage; its requests pass the adapter as well.
        session: of ``requests``, with the adapter for all addresses.
        adapter: applies the limits.
    """

    address: str
    client: DICOMwebClient
    session: Session
    adapter: BoundedAdapter

    def get(
        self, path: str, *, accept: str, allowance: Allowance, parameters: Sequence[tuple[str, str]] = ()
    ) -> Response:
        """Return the complete answer to a request; its ``raw`` is a file with the body.

        Args:
            path: below the root; UIDs in it must have been checked.
            accept: media types.
            allowance: for the answer.
            parameters: of the query.

        Raises:
            RequestException: for every status but success, and as ``BoundedAdapter.send``.
            AnswerError: as ``BoundedAdapter.send``.
        """
        from requests import Request

        request = self.session.prepare_request(
            Request("GET", f"{self.address}{path}", params=list(parameters), headers={"Accept": accept})
        )
        environment = self.session.merge_environment_settings(str(request.url), {}, True, None, None)
        response: Response = self.session.send(request, allowance=allowance, **environment)
        response.raise_for_status()
        return response


@contextmanager
def connect(url: str) -> Iterator[Server]:
    """Yield the server at ``url``, and raise failures of the whole server as ``UsageError``.

    Credentials are the user and password in ``url``; otherwise a token, or user and password, from the environment. A
    ``.netrc`` is not read. ``requests`` takes proxies, for other machines than this one, and certificate authorities
    from the environment. Redirects are not followed: they could send images, or the credentials for them, to another
    machine.

    Args:
        url: root of the server's DICOMweb services.

    Raises:
        UsageError: for an invalid address or credentials that would be sent unencrypted; within the block, for a
            server that is not reachable, refuses access, redirects, breaks a limit, or is no DICOMweb server.
    """
    from dicomweb_client import DICOMwebClient
    from requests import RequestException, Session

    from s3net_monai.inference.dicomweb.session import BoundedAdapter

    split = _split(url)
    address = _address(split)
    with Session() as session, _silence(NOISY_LOGGERS):
        session.auth = _authorization(split)
        session.headers["Accept"] = "application/dicom+json"  # for storage; searches and retrievals set their own
        session.headers["Accept-Encoding"] = "identity"
        adapter = BoundedAdapter()
        for scheme in ("http://", "https://"):
            session.mount(scheme, adapter)
        # A body in chunks could not be sent again.
        client = DICOMwebClient(address, session=session, chunk_size=sys.maxsize)
        client.set_http_retry_params(retry=False)  # the adapter tries again
        try:
            yield Server(address, client, session, adapter)
        except (RequestException, AnswerError) as error:
            # Without the cause: the messages of requests and urllib3 contain the whole address with its UIDs.
            raise UsageError(f"{address}: {server_problem(error)}") from None


def _split(url: str) -> SplitResult:
    try:
        split = urlsplit(url)
        usable = split.scheme in ("http", "https") and bool(split.hostname) and split.port != 0
        if ":" in (split.hostname or ""):
            usable &= ip_address(split.hostname or "").version == 6 and "%" not in (split.hostname or "")
    except ValueError:
        usable = False
    if not usable or split.query or split.fragment:
        # The address itself is not repeated, since it may contain a password.
        raise UsageError(f"--dicomweb: not the address of a DICOMweb server; give one such as {EXAMPLE_URL}")
    return split


def _address(split: SplitResult) -> str:
    host = f"[{split.hostname}]" if ":" in (split.hostname or "") else split.hostname
    port = f":{split.port}" if split.port else ""
    return f"{split.scheme}://{host}{port}{split.path.rstrip('/')}"


def _authorization(split: SplitResult) -> Any:
    """The authentication for ``requests``; without credentials, a callable that keeps it from reading ``.netrc``.

    Credentials over plain http go to this machine alone, and the adapter uses no proxy for it: no proxy sees them.
    """
    from requests.auth import HTTPBasicAuth

    user, password, token = _credentials(split)
    in_clear = split.scheme == "http" and not is_loopback(split.hostname or "")
    if (user or token) and in_clear:
        raise UsageError(
            f"{_address(split)}: user, password or token would be sent unencrypted; give an https address, or the "
            "local end of an encrypted tunnel"
        )
    if in_clear:
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
        if not re.fullmatch("[!-~]+", token):  # RFC 6750, section 2.1; libraries would quote it in their errors
            raise UsageError(f"{TOKEN_VARIABLE}: a character found that no token has; set it without blanks, line ends")
        return "", "", token
    return os.environ.get(USER_VARIABLE, ""), os.environ.get(PASSWORD_VARIABLE, ""), ""


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
