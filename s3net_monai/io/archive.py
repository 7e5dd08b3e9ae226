"""Unpacking zip archives that may be damaged or hostile."""

from __future__ import annotations

import shutil
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.messages import one_line

ARCHIVE_SUFFIXES = (".zip",)
NESTED_SUFFIXES = (".zip", ".7z", ".rar", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
MAX_MEMBERS = 200_000  # files; a study of many series has some ten thousand
MAX_EXPANDED = 64 * 2**30  # bytes of one archive; a whole-body CT with all its reconstructions has some ten gigabytes
MAX_RATIO = 100  # expanded to packed; images reach 10, empty ones more
RATIO_FROM = 2**30  # bytes: what expands to less does no harm, whatever its ratio
BLOCK = 2**20


@dataclass(frozen=True)
class Unpacked:
    """``files`` that were written, and how many were left out: ``ignored`` hidden files, ``nested`` archives."""

    files: tuple[Path, ...]
    ignored: int
    nested: int


def unpack(archive: Path, folder: Path) -> Unpacked:
    """Unpack a zip archive into ``folder``, which is made; nothing stays there if it is refused.

    Sizes are counted while expanding, since an archive's own directory can lie.

    Raises:
        CaseError: when it is damaged or encrypted, when a member is a link or would leave the folder, or when it
            expands beyond the limits of this module.
    """
    try:
        return _unpack(archive, folder)
    except CaseError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except Exception as error:  # damage raises from zipfile, zlib, struct and the file system
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
            raise CaseError(f"{archive.name}: cannot be unpacked ({reason}); unpack it yourself") from error
        raise CaseError(f"{archive.name}: a damaged archive ({one_line(error)}); copy the file again") from error


def _unpack(archive: Path, folder: Path) -> Unpacked:
    files: list[Path] = []
    ignored = nested = expanded = 0
    most = max(RATIO_FROM, MAX_RATIO * archive.stat().st_size)
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        if len(members) > MAX_MEMBERS:
            raise CaseError(f"{archive.name}: {len(members)} members, beyond the limit of {MAX_MEMBERS}; split it")
        targets = [_target(archive, member) for member in members]  # all of them, before anything is written
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
            # "x": two members of one name would overwrite each other.
            with opened.open(member) as source, path.open("xb") as written:
                while block := source.read(BLOCK):
                    expanded += len(block)
                    if expanded > MAX_EXPANDED:
                        limit = MAX_EXPANDED // 2**30
                        raise CaseError(f"{archive.name}: expands beyond the limit of {limit} GiB; split it")
                    if expanded > most:
                        raise CaseError(
                            f"{archive.name}: expands to more than {MAX_RATIO} times its size, as no image does; "
                            "unpack it yourself if you trust it"
                        )
                    written.write(block)
            files.append(path)
    return Unpacked(tuple(files), ignored, nested)


def _target(archive: Path, member: zipfile.ZipInfo) -> PurePosixPath | None:
    """Where a member goes, relative to the folder; None for the folder itself."""
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
