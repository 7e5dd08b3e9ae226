"""Text for a terminal: printable characters alone, one line a message."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator


def visible(text: object) -> str:
    r"""Return a text with every character that a terminal would act upon written as its escape sequence in Python.

    These are control characters, among them line ends, format characters, which include those that reverse the
    direction of a line, separators of lines and paragraphs, and bytes of a file name that are not valid UTF-8. All
    others stay, a backslash too, so that a text which is visible already remains as it is.

    Example:
        >>> visible("a\x1b[31m\u202eb\n")
        'a\\x1b[31m\\u202eb\\n'
    """
    text = str(text)
    return text if text.isprintable() else "".join(c if _is_harmless(c) else repr(c)[1:-1] for c in text)


def _is_harmless(character: str) -> bool:
    # Python counts spaces other than " ", as between Japanese words, among what is not printable.
    return character.isprintable() or unicodedata.category(character) == "Zs"


def one_line(message: BaseException | str, limit: int = 160) -> str:
    """Return a message as one line of at most ``limit`` characters, with its white space as single blanks.

    What remains is as ``visible`` shows it.
    """
    text = visible(" ".join(str(message).split())) or "without a reason"
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
