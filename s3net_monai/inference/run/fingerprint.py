"""Fingerprints of masks: one hash of the input's content, the model and the settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from s3net_monai.file_formats import DETACHED_HEADER_SUFFIXES
from s3net_monai.inference.discovery.cases import Case
from s3net_monai.io import CaseError
from s3net_monai.io.volume_header import read_volume_header
from s3net_monai.utils.hashing import file_sha256


def fingerprint(case: Case, configuration: dict[str, Any]) -> str:
    """Return the SHA-256 of the case's files and of the model and settings.

    Only content counts: a copied or unpacked input is the same input, and a touched file has not changed.

    Args:
        case: the input.
        configuration: model and settings as ``Report.configuration`` returns them; anything that JSON can hold.

    Raises:
        OSError: when a file cannot be read.
        CaseError: for a header of NRRD or MetaImage that names no usable file.
    """
    file_hashes = sorted(file_sha256(path) for path in _files(case))
    text = json.dumps([file_hashes, configuration], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


FileStates = dict[Path, tuple[int, int]]


class InputChange(NamedTuple):
    """What became of a file of a case while the case was segmented.

    Attributes:
        reason: for the report.
        removed: whether the file is gone.
    """

    reason: str
    removed: bool


def file_states(case: Case) -> FileStates:
    """Return the size and the time of the last change, in ns, of the files of a case that exist."""
    states = {}
    with suppress(OSError, CaseError):  # the reader says what is wrong
        for path in _files(case):
            status = path.stat()
            states[path] = (status.st_size, status.st_mtime_ns)
    return states


def change_of_input(case: Case, before: FileStates) -> InputChange | None:
    """Return what became of a case whose files are still written or moved; None while they are as they were.

    Header, voxels and hash of such a case could be of different contents.

    Args:
        case: the input.
        before: ``file_states`` before it was read.
    """
    after = file_states(case)
    for path, state in before.items():
        if after.get(path) != state:
            which = "" if path.name == case.input.name else f"{path.name} "
            what = "changed" if path in after else "was removed"
            reason = f"{case.input.name}: {which}{what} while it was segmented; repeat with --resume"
            return InputChange(reason, removed=path not in after)
    return None


def _files(case: Case) -> Iterator[Path]:
    for path in case.image:
        if path.is_dir():
            yield from (file for file in path.iterdir() if file.is_file())
        elif path.suffix.lower() in DETACHED_HEADER_SUFFIXES:
            yield from {path, read_volume_header(path).data}
        else:
            yield path
