"""The secret of a user on this machine, by which pseudonyms stay the same from run to run."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.locks import exclusive_lock
from s3net_monai.utils.output_paths import os_error_line
from s3net_monai.utils.printing import get_logger

NUM_BYTES = 32
OWNER_ONLY = 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

_log = get_logger(__name__)


def new_secret() -> bytes:
    """Return a random secret."""
    return secrets.token_bytes(NUM_BYTES)


def parse_secret(text: str) -> bytes | None:
    """Return the secret that a file holds as hexadecimal digits, or None if these are none."""
    try:
        secret = bytes.fromhex(text.strip())
    except ValueError:
        return None
    return secret if len(secret) == NUM_BYTES else None


def secret_file() -> Path:
    """Return the file of the user's secret (XDG Base Directory Specification: state that outlives a run)."""
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state") / "s3net" / "secret"


def secret_of_user() -> bytes:
    """Return the user's secret, made at first use and readable by the user alone.

    Where it cannot be stored, the secret is one of this process, with a warning.

    Raises:
        UsageError: if the file is there and holds no secret, or others can read it and that cannot be changed.
    """
    try:
        path = secret_file()
        if not path.exists():
            _make(path)
        _restrict(path)
        text = path.read_text(encoding="ascii", errors="replace")
    except (OSError, RuntimeError) as error:  # RuntimeError: a user without a home
        reason = os_error_line(error) if isinstance(error, OSError) else str(error)
        _log.warning("no secret for pseudonyms could be stored, so the next run gives other names (%s)", reason)
        return new_secret()
    secret = parse_secret(text)
    if secret is None:
        raise UsageError(
            f"{path}: {2 * NUM_BYTES} hexadecimal digits expected; give --key, or delete the file, and names change"
        )
    return secret


@contextmanager
def private_file(path: Path) -> Iterator[TextIO]:
    """Open a file for writing that the user alone can read, and that replaces ``path`` when the block succeeds."""
    with atomic_path(path) as temporary:
        # Created with its permissions: a file that is restricted afterwards could be read in between.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        with open(descriptor, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            yield file


def _restrict(path: Path) -> None:
    """Take the permissions of others away from a file of the user: whoever can read it can test names.

    Raises:
        UsageError: if others keep them.
    """
    if os.name != "posix" or not path.stat().st_mode & _OTHERS:
        return
    with suppress(OSError):  # a file of another user, or a file system without permissions
        path.chmod(OWNER_ONLY)
    if path.stat().st_mode & _OTHERS:
        raise UsageError(
            f"{path}: others can read or write this secret, and its mode cannot be changed to 0600; give --key, or set "
            "XDG_STATE_HOME to a folder of your own"
        )


def _make(path: Path) -> None:
    """Write a new secret, unless another process has just done so."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with exclusive_lock(path.with_name(f".{path.name}.lock")):
        if not path.exists():
            with private_file(path) as file:
                file.write(f"{new_secret().hex()}\n")
