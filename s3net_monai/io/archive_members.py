"""Members of zip archives that are refused by what the archive's directory says of them."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePosixPath, PureWindowsPath

from s3net_monai.io import limits
from s3net_monai.utils.errors import CaseError

# zipfile expands the others in whole blocks of input, without a limit on what comes out.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1  # bit of the general purpose flags (APPNOTE.TXT section 4.4.4)
_LOCAL_HEADER = 30  # bytes before the name (APPNOTE.TXT section 4.3.7)


def check_members(name: str, members: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse an archive for any of its members.

    Args:
        name: of the archive, for the message.
        members: as its directory lists them.

    Raises:
        CaseError: if a member is encrypted, compressed by a method other than ``METHODS``, a link or a special file;
            if its path leads out of the folder or is too deep; or if two members share bytes of the archive.
    """
    for member in members:
        _check_member(name, member)
    ordered = sorted(members, key=lambda member: member.header_offset)
    for first, second in pairwise(ordered):
        if first.header_offset + _LOCAL_HEADER + first.compress_size > second.header_offset:
            raise CaseError(f"{name}: members that overlap; do not trust this archive")


def member_path(member: zipfile.ZipInfo) -> PurePosixPath:
    """Return the path of a member relative to the folder; empty for the folder itself."""
    return PurePosixPath(member.filename.replace("\\", "/"))


def _check_member(name: str, member: zipfile.ZipInfo) -> None:
    if member.flag_bits & _ENCRYPTED:
        raise CaseError(f"{name}: encrypted; unpack it yourself")
    if member.compress_type not in METHODS:
        raise CaseError(f"{name}: compressed by method {member.compress_type}, deflate expected; unpack it yourself")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise CaseError(f"{name}: holds a link or a special file; pack plain files only")
    path = member_path(member)
    if path.is_absolute() or PureWindowsPath(path).drive or ".." in path.parts:
        raise CaseError(f"{name}: a member would leave the folder; do not trust this archive")
    if len(path.parts) > limits.MAX_ARCHIVE_DEPTH:
        limit = limits.MAX_ARCHIVE_DEPTH
        raise CaseError(f"{name}: folders {len(path.parts)} deep, beyond the limit of {limit}; unpack it yourself")
