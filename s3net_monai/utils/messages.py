"""Messages of exceptions for users: one printable line."""

from __future__ import annotations

from collections.abc import Iterator


def one_line(message: BaseException | str, limit: int = 160) -> str:
    """Return a message as one line of at most ``limit`` printable characters.

    Control characters may come from a damaged header or a file name and move a terminal's cursor; they become "?".
    An exception without text is represented by its class name.
    """
    words = "".join(c if c.isprintable() or c.isspace() else "?" for c in str(message)).split()
    text = " ".join(words) or type(message).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and, for a chain of ``raise ... from``, what caused it, the first cause last."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:  # an error can be its own cause
        yield link
        seen.add(id(link))
        link = link.__cause__


def first_cause(error: BaseException) -> BaseException:
    """Return the exception at the start of a chain of ``raise ... from``."""
    return list(causes(error))[-1]
