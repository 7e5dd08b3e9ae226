"""Work folder of the benchmarks: cached results with settings, and locks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from s3net_monai.utils.atomic import atomic_path
from s3net_monai.utils.locks import LockedError, exclusive_lock

_LOCK = ".lock"


class BusyError(Exception):
    """Another process works in the same folder."""


@contextmanager
def folder_lock(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock of a folder, which is made if it is missing.

    Args:
        folder: folder of one stage or run.
        wait: whether to wait for another process that holds the lock.

    Raises:
        BusyError: Without ``wait``, while another process holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with exclusive_lock(folder / _LOCK, wait=None if wait else 0):
            yield
    except LockedError as error:
        raise BusyError(folder.parent.name) from error


def digest(value: Any) -> str:
    """Return the SHA-256 of JSON data."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def read_cached(path: Path, settings: Mapping[str, Any]) -> Any:
    """Return the result that an earlier run with the same settings wrote, or None."""
    if not path.is_file():
        return None
    stored = json.loads(path.read_text(encoding="utf-8"))
    return stored.get("result") if stored["settings"] == json.loads(json.dumps(settings)) else None


def write_cached(path: Path, settings: Mapping[str, Any], result: Any) -> None:
    """Write the file of ``read_cached``, as a whole or not at all."""
    write_json(path, {"settings": settings, "result": result})


def write_json(path: Path, value: Any) -> None:
    """Write JSON data, as a whole or not at all, to a folder that is made if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value), encoding="utf-8")
