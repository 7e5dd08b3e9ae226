"""The one way out to a DICOMweb server: every request and answer passes ``BoundedAdapter``."""

from __future__ import annotations

import re
import time
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError, ReadTimeout, SSLError, TooManyRedirects
from urllib3 import ProxyManager
from urllib3 import exceptions as lower
from urllib3.util import Retry

from s3net_monai.inference.dicomweb import limits
from s3net_monai.inference.dicomweb.deadline import Deadline, watched_pools
from s3net_monai.inference.dicomweb.limits import Allowance
from s3net_monai.inference.dicomweb.loopback import is_loopback
from s3net_monai.inference.dicomweb.problems import AnswerError, ItemError
from s3net_monai.inference.dicomweb.retry_after import seconds_to_wait


class BoundedAdapter(HTTPAdapter):
    """Sends requests, and reads every answer to its end within its allowance before anyone else sees it.

    - The body is counted while it is read, whatever its header says. ``response.raw`` is then a file with it. A
      response whose ``raw`` is a file leaves no cookies in the session, so these cannot pile up either.
    - An answer that is compressed although the request forbids it is refused before it is expanded.
    - A redirect is refused before its body is read. Of other errors to a search or retrieval, no body is read.
    - No proxy comes between this machine and itself.
    - A busy server is asked again when it says so, and for an answer that was cut short, within limits.

    Attributes:
        received: bytes of all bodies so far.
    """

    def __init__(self) -> None:
        self.received = 0
        self._deadline = Deadline()
        self._paused = 0.0
        # For connections. Statuses are dealt with in ``send``: urllib3 would read a body without end to its end.
        retry = Retry(limits.RETRIES, backoff_factor=limits.BACKOFF_SECONDS, respect_retry_after_header=False)
        super().__init__(max_retries=retry)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Create the pools of connections, which the deadline watches."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = watched_pools(self._deadline)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Return the pools of connections to a proxy, which the deadline watches as well."""
        manager = super().proxy_manager_for(proxy, **options)
        if isinstance(manager, ProxyManager):  # a SOCKS manager has connections of its own
            manager.pool_classes_by_scheme = watched_pools(self._deadline)
        return manager

    def close(self) -> None:
        """Close all connections."""
        super().close()
        self._deadline.release()

    def send(
        self,
        request: PreparedRequest,
        stream: bool = True,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
        allowance: Allowance | None = None,
    ) -> Response:
        """Send a request, and return its complete answer.

        Args:
            request: with a body of bytes, if any, since it may have to be sent again.
            stream: not used; the answer is always read here.
            timeout: not used; see ``limits``.
            verify: as for ``requests``.
            cert: as for ``requests``.
            proxies: as for ``requests``; not used for this machine itself.
            allowance: for the answer; None for that of a store request.

        Raises:
            RequestException: for a server that cannot be reached, or an answer that is cut short.
            TooManyRedirects: for a redirect.
            AnswerError: for an answer beyond its allowance or with a content encoding.
        """
        options = {"verify": verify, "cert": cert, "proxies": proxies}
        if is_loopback(urlsplit(str(request.url)).hostname or ""):
            options["proxies"] = {}
        request.headers.pop("Host", None)  # that of dicomweb-client lacks the port
        repeated = limits.RETRY_STATUSES if request.method == "GET" else limits.BUSY_STATUSES
        allowance = allowance or limits.STORE
        left = allowance.seconds
        for attempt in range(limits.RETRIES):
            start, response = time.monotonic(), None
            try:
                response = self._exchange(request, allowance, options, left)
            except (ChunkedEncodingError, ReadTimeout):  # within the answer; before it, urllib3 has tried again
                left -= time.monotonic() - start
                if request.method != "GET" or left <= 0 or not self._pause(None, attempt):
                    raise
            else:
                if response.status_code not in repeated or not self._pause(response, attempt):
                    return response
        return self._exchange(request, allowance, options, left)

    def _pause(self, response: Response | None, attempt: int) -> bool:
        """Wait before the next try; False if the server wants too long a wait. No response means a cut answer."""
        seconds = limits.BACKOFF_SECONDS * 2**attempt if attempt else 0.0
        if response is not None and response.status_code in limits.BUSY_STATUSES:
            seconds = seconds_to_wait(response.headers) or seconds
        if seconds > limits.PAUSE_SECONDS or self._paused + seconds > limits.ALL_PAUSES_SECONDS:
            return False
        self._paused += seconds
        time.sleep(seconds)
        return True

    def _exchange(
        self, request: PreparedRequest, allowance: Allowance, options: dict[str, Any], seconds: float
    ) -> Response:
        """Send a request once, with ``seconds`` left of those of its allowance."""
        timeout = (limits.CONNECT_SECONDS, limits.SILENCE_SECONDS)
        with self._deadline.within(seconds):
            try:
                response = super().send(request, stream=True, timeout=timeout, **options)
                response.raw = self._body(response, allowance)
                self._deadline.check()  # http.client takes a header that is cut off for a whole one
            except BaseException as error:
                self._deadline.cut()
                if self._deadline.passed and isinstance(error, Exception):
                    raise AnswerError(
                        f"no complete answer within {allowance.seconds:g} s; check the server and the network between"
                    ) from None
                raise
        return response

    def _body(self, response: Response, allowance: Allowance) -> IO[bytes]:
        """The whole body, in a file at its start."""
        if 300 <= response.status_code < 400:
            raise TooManyRedirects(response=response)
        if response.status_code >= 400 and response.request.method == "GET":
            self._deadline.cut()
            response.close()
            return BytesIO()
        if response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
            raise AnswerError("the answer is compressed, which was not asked for; turn compression off at the server")
        stated = response.headers.get("Content-Length", "")
        if re.fullmatch("[0-9]{1,18}", stated) and int(stated) > allowance.size:
            raise _too_large(allowance)
        file = SpooledTemporaryFile(max_size=limits.MEMORY_BYTES)  # noqa: SIM115
        try:
            self._read(response, allowance, file)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    def _read(self, response: Response, allowance: Allowance, file: IO[bytes]) -> None:
        size, headers = 0, {name.title() for name in response.headers}
        try:
            # read1 returns what has arrived. read and stream wait for whole chunks, whose sizes are the server's.
            while chunk := response.raw.read1(limits.CHUNK_BYTES, decode_content=False):
                self._deadline.check()
                size += len(chunk)
                self.received += len(chunk)
                if size > allowance.size:
                    raise _too_large(allowance)
                file.write(chunk)
            if not size and response.status_code == 200 and not {"Content-Length", "Transfer-Encoding"} & headers:
                raise ChunkedEncodingError  # the header may have been cut off as well
        except lower.ReadTimeoutError:
            raise ReadTimeout from None
        except lower.SSLError:
            raise SSLError from None
        except lower.HTTPError:
            raise ChunkedEncodingError from None


def _too_large(allowance: Allowance) -> ItemError:
    size = allowance.size / 2**20
    shown = f"{size / 2**10:.3g} GiB" if size >= 2**10 else f"{size:.3g} MiB"
    return ItemError(f"the answer has more than {shown}, the limit; see the server's log")
