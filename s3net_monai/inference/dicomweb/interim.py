"""Answers before the answer: ``http.client`` takes every status below 200 but 100 for the final one."""

from __future__ import annotations

from http.client import SWITCHING_PROTOCOLS, HTTPResponse


class FinalResponse(HTTPResponse):
    """A response that passes over interim ones, such as 103 Early Hints (RFC 9110 section 15.2)."""

    def begin(self) -> None:
        """Read statuses and headers up to the final ones; what limits the time of a request limits their number."""
        super().begin()
        while SWITCHING_PROTOCOLS < self.status < 200:
            self.headers = self.msg = None  # type: ignore[assignment]  # with headers, nothing more would be read
            super().begin()
