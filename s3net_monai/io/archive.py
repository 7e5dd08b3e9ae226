"""Unpacking of zip archives that may be damaged or hostile."""

from __future__ import annotations

import shutil
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from s3net_monai.io import limits
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.messages import one_line

NESTED_SUFFIXES = (".zip", ".7z", ".rar", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
BLOCK_BYTES = 2**20


@dataclass(frozen=True)
class Unpacked:
    """The result of unpacking an archive.

    Attributes:
        files: that were written.
        ignored: number of hidden files that were left out.
        nested: number of archives inside the archive that were left out.
    """

    files: tuple[Path, ...]
    ignored: int
    nested: int


def unpack(archive: Path, folder: Path) -> Unpacked:
    """Unpack a zip archive into ``folder``, which is created, and removed again if the archive is refused.

    Sizes are counted while expanding, since the archive's own directory can be wrong.

    Raises:
        CaseError: if it is damaged or encrypted, if a member is a link or would leave the folder, or if it expands
            beyond the limits of ``io.limits``.
    """
    try:
        return _unpack(archive, folder)
    except CaseError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except Exception as error:  # damage raises in zipfile, zlib, struct and the file system
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
            raise CaseError(f"{archive.name}: cannot be unpacked ({reason}); unpack it yourself") from error
        raise CaseError(f"{archive.name}: a damaged archive ({one_line(error)}); copy the file again") from error


def _unpack(archive: Path, folder: Path) -> Unpacked:
    files: list[Path] = []
    ignored = nested = expanded = 0
    plausible = max(limits.MIN_RATIO_BYTES, limits.MAX_ARCHIVE_RATIO * archive.stat().st_size)
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        if len(members) > limits.MAX_ARCHIVE_MEMBERS:
            limit = limits.MAX_ARCHIVE_MEMBERS
            raise CaseError(f"{archive.name}: {len(members)} members, beyond the limit of {limit}; split it")
        targets = [_member_target(archive, member) for member in members]  # all of them, before anything is written
        folder.mkdir(parents=True)
        for member, target in zip(members, targets, strict=True):
            if member.is_dir() or target is None:
                continue
            if any(part.startswith(".") for part in target.parts):
                ignored += 1
                continue
            if target.name.lower().endswith(NESTED_SUFFIXES):
                nested += 1
                continue
            path = folder / target
            path.parent.mkdir(parents=True, exist_ok=True)
            # "x", since a second member of the same name would overwrite the first.
            with opened.open(member) as source, path.open("xb") as written:
                while block := source.read(BLOCK_BYTES):
                    expanded += len(block)
                    if expanded > limits.MAX_ARCHIVE_BYTES:
                        limit = limits.MAX_ARCHIVE_BYTES // 2**30
                        raise CaseError(f"{archive.name}: expands beyond the limit of {limit} GiB; split it")
                    if expanded > plausible:
                        raise CaseError(
                            f"{archive.name}: expands to more than {limits.MAX_ARCHIVE_RATIO} times its size, which no "
                            "image does; unpack it yourself if you trust it"
                        )
                    written.write(block)
            files.append(path)
    return Unpacked(tuple(files), ignored, nested)


def _member_target(archive: Path, member: zipfile.ZipInfo) -> PurePosixPath | None:
    """Return the path of a member relative to the folder, or None for the folder itself."""
    if member.flag_bits & 0x1:
        raise CaseError(f"{archive.name}: encrypted; unpack it yourself")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise CaseError(f"{archive.name}: holds a link or a special file; pack plain files only")
    name = member.filename.replace("\\", "/")
    path = PurePosixPath(name)
    if path.is_absolute() or PureWindowsPath(name).drive or ".." in path.parts:
        raise CaseError(f"{archive.name}: a member would leave the folder; do not trust this archive")
    return path if path.parts else None
