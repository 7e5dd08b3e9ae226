"""How much the archives of a run may expand to, each of them and all together, and what the disk has room for."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from s3net_monai.io import limits
from s3net_monai.utils.errors import CaseError


@dataclass
class UnpackedTotal:
    """What the archives of a run have expanded to so far.

    Attributes:
        members: of all of them.
        expanded: bytes.
        excess: bytes beyond ``limits.MAX_ARCHIVE_RATIO`` times the size of their archive, which are few in archives of
            images: the sum of all is limited, as many small archives could fill a disk.
    """

    members: int = 0
    expanded: int = 0
    excess: int = 0

    def check_count(self, name: str, members: int) -> None:
        """Refuse an archive of too many members.

        Args:
            name: of the archive, for the message.
            members: in it.

        Raises:
            CaseError: if there are more than the limits for an archive or a run permit.
        """
        if members > limits.MAX_ARCHIVE_MEMBERS:
            raise CaseError(f"{name}: {members} members, beyond the limit of {limits.MAX_ARCHIVE_MEMBERS}; split it")
        if self.members + members > limits.MAX_UNPACKED_MEMBERS:
            limit = limits.MAX_UNPACKED_MEMBERS
            raise CaseError(f"{name}: all archives have more than {limit} members; unpack them yourself")

    def check_size(self, name: str, *, expanded: int, packed: int) -> None:
        """Refuse an archive that expands too far.

        Args:
            name: of the archive, for the message.
            expanded: bytes, declared or counted so far.
            packed: bytes of the archive.

        Raises:
            CaseError: if it expands beyond the limits for an archive or a run, or like no archive of images.
        """
        if expanded > limits.MAX_ARCHIVE_BYTES:
            raise CaseError(f"{name}: expands beyond the limit of {_gib(limits.MAX_ARCHIVE_BYTES)}; split it")
        if self.expanded + expanded > limits.MAX_UNPACKED_BYTES:
            limit = _gib(limits.MAX_UNPACKED_BYTES)
            raise CaseError(f"{name}: all archives expand beyond the limit of {limit}; unpack them yourself")
        if self.excess + _excess(expanded, packed) > limits.MIN_RATIO_BYTES:
            raise CaseError(
                f"{name}: expands to more than {limits.MAX_ARCHIVE_RATIO} times its size, which no image does; unpack "
                "it yourself if you trust it"
            )

    def add(self, *, members: int, expanded: int, packed: int) -> None:
        """Count an archive that was unpacked: its members, its expanded and its packed bytes."""
        self.members += members
        self.expanded += expanded
        self.excess += _excess(expanded, packed)


def check_space(name: str, folder: Path, size: int) -> None:
    """Refuse an archive that would fill the disk, which a run and other programs need for their own files.

    Args:
        name: of the archive, for the message.
        folder: on the disk.
        size: bytes that are to be written.

    Raises:
        CaseError: if less than a reserve would remain: ``limits.MAX_DISK_RESERVE`` bytes, a twentieth of a small disk.
    """
    disk = shutil.disk_usage(folder)
    reserve = min(limits.MAX_DISK_RESERVE, disk.total // 20)
    if size > disk.free - reserve:
        raise CaseError(
            f"{name}: no room for it in the temporary folder, {_gib(disk.free)} free and {_gib(reserve)} kept; set "
            "TMPDIR to a folder on a larger disk"
        )


def _excess(expanded: int, packed: int) -> int:
    return max(0, expanded - limits.MAX_ARCHIVE_RATIO * packed)


def _gib(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"
