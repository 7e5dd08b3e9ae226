"""Reasons in words for errors of any origin; the text of a library is used where it speaks of the file."""

from __future__ import annotations

import dis
import os
import re
import struct
import zlib
from pathlib import Path
from textwrap import shorten
from types import TracebackType
from typing import TypeGuard

from s3net_monai.utils.errors import UserError
from s3net_monai.utils.messages import causes, one_line
from s3net_monai.utils.output_paths import os_error_line
from s3net_monai.utils.printing import print_traceback

TRACEBACK = "S3NET_TRACEBACK"  # set it to 1 to see where an error comes from
NO_MEMORY = "not enough memory; close other programs, or use a machine with more"
MAX_QUOTED = 160  # characters of a library's message

_PACKAGES = ("s3net_monai", "data_prep", "benchmarks")
# What allocators raise as RuntimeError: torch, ITK, C++.
_ALLOCATORS = re.compile("not enough memory|out of memory|allocate memory|bad.?alloc", re.IGNORECASE)
# Raised where a library stumbles over a damaged file: they name its variables, not what is wrong.
_STUMBLES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NameError,
    RecursionError,
    StopIteration,
    TypeError,
    UnicodeError,
    struct.error,
    zlib.error,
)
_ADDRESS = re.compile(r" ?<[^<>]* at 0x[0-9a-f]+>")
_INTERNAL = re.compile(
    r"\w+(Error|Exception)\b|NoneType|has no attribute|index out of|is not iterable|unsupported operand|invalid literal"
    r"|not subscriptable|unpack|could not convert|codec can't|0x[0-9a-f]{6}|broadcast|setting an array"
    r"|buffer|bytes-like|Errno|allocat",
    re.IGNORECASE,
)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether the error means that a device, or this machine, had no memory left."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and bool(_ALLOCATORS.search(str(error))))


def in_words(error: BaseException, found: str, remedy: str, *files: Path) -> str:
    """Return what is wrong with a file over which a library raised an error, and the remedy.

    Args:
        error: of the library.
        found: what the error means, such as "not readable as NIfTI".
        remedy: what helps then.
        files: that the library may name with their folders.

    Example:
        >>> in_words(KeyError("dim"), "not readable", "copy it again")
        'not readable; copy it again'
        >>> in_words(ValueError("no magic number in /d/a.nii"), "not readable", "copy it again", Path("/d/a.nii"))
        'not readable (no magic number in a.nii); copy it again'
        >>> in_words(MemoryError("Unable to allocate 3 GiB"), "not readable", "copy it again")
        'not enough memory; close other programs, or use a machine with more'
    """
    if any(is_out_of_memory(link) for link in causes(error)):
        return NO_MEMORY
    return f"{found}{words_of(error, *files)}; {remedy}"


def words_of(error: BaseException, *files: Path) -> str:
    """Return in brackets, after a blank, what a library says about a file; nothing where it speaks of itself."""
    if isinstance(error, OSError) and error.strerror:
        return f" ({error.strerror[:1].lower()}{error.strerror[1:]})"
    # The text of a KeyError is a key or, of MONAI, a sentence.
    is_sentence = isinstance(error, KeyError) and " " in str(error).strip()
    text = str(error.args[0]) if is_sentence else str(error)
    text = _ADDRESS.sub("", text)
    for file in files:
        text = text.replace(str(file), file.name)
    if not text.strip() or (isinstance(error, _STUMBLES) and not is_sentence) or _INTERNAL.search(text):
        return ""
    return f" ({one_line(shorten(text, MAX_QUOTED, placeholder=' …'))})"  # between words: half a name is not found


def message_for_users(error: BaseException) -> list[str] | None:
    """Return the lines that this project wrote for users somewhere in the chain of causes, or None.

    They are those of ``UserError``, and those of a ``ValueError`` or ``OSError`` that a ``raise`` of this project's own
    code has raised, not a library that it calls.
    """
    for link in causes(error):
        if isinstance(link, UserError):
            return list(link.lines)
        if isinstance(link, (ValueError, OSError)) and _is_own(link):
            return [os_error_line(link) if _of_system(link) else str(link)]
    return None


def error_lines(error: BaseException) -> list[str]:
    """Return the lines to print about any error that ended a command."""
    lines = message_for_users(error)
    if lines is not None:
        return lines
    for link in causes(error):
        if is_out_of_memory(link):
            return [NO_MEMORY]
        if isinstance(link, RuntimeError) and "CUDA" in str(link):
            found = one_line(str(link).partition("\n")[0])
            return [f"the GPU does not work ({found}); check its driver, or use --device cpu"]
        if _of_system(link):
            return [os_error_line(link)]
    return [unexpected(error)]


def unexpected(error: BaseException) -> str:
    """Return what to say about an error that nobody foresaw; print its traceback where S3NET_TRACEBACK asks for it."""
    if os.environ.get(TRACEBACK):
        print_traceback(error)
    library = _raised_in(list(causes(error))[-1]) or "this program"
    return f"an unexpected error in {library}; please report it with what {TRACEBACK}=1 in the environment prints"


def _of_system(error: BaseException) -> TypeGuard[OSError]:
    return isinstance(error, OSError) and error.errno is not None


def _is_own(error: BaseException) -> bool:
    """Return whether a ``raise`` of this project has raised an error, not a function in C that it called."""
    call = _innermost_call(error)
    if call is None or _raised_in(error) not in _PACKAGES:
        return False
    return call.tb_frame.f_code.co_code[call.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def _raised_in(error: BaseException) -> str:
    """Return the name of the package whose code, or whose call of a function in C, raised an error."""
    call = _innermost_call(error)
    name = call.tb_frame.f_globals.get("__name__", "") if call is not None else ""
    return str(name).partition(".")[0]


def _innermost_call(error: BaseException) -> TracebackType | None:
    call = error.__traceback__
    while call is not None and call.tb_next is not None:
        call = call.tb_next
    return call
