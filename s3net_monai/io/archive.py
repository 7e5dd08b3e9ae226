"""Unpacking of zip archives that may be damaged or hostile."""

from __future__ import annotations

import errno
import re
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from s3net_monai.io.archive_limits import UnpackedTotal, check_space
from s3net_monai.io.archive_members import check_members, member_path
from s3net_monai.utils.errors import CaseError
from s3net_monai.utils.messages import one_line
from s3net_monai.utils.reasons import NO_MEMORY, is_out_of_memory, words_of

NESTED_SUFFIXES = (".zip", ".7z", ".rar", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
BLOCK_BYTES = 2**20
_QUOTED = re.compile(r"(['\"]).*\1")  # the names of members in the messages of zipfile


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


def unpack(archive: Path, folder: Path, total: UnpackedTotal) -> Unpacked:
    """Unpack a zip archive into ``folder``, which is created, and removed again if the archive is refused.

    Sizes are counted while expanding, since the archive's own directory can be wrong.

    Args:
        archive: the zip file.
        folder: its destination, which does not exist.
        total: of the archives that the run has unpacked before; this one is added to it.

    Raises:
        CaseError: if it is damaged, encrypted or compressed by a rare method, if a member is a link or would leave the
            folder, if it expands beyond the limits of ``io.limits``, or if the disk has no room for it.
    """
    try:
        return _unpack(archive, folder, total)
    except CaseError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except Exception as error:  # damage raises in zipfile, zlib, struct and the file system
        shutil.rmtree(folder, ignore_errors=True)
        raise CaseError(f"{archive.name}: {_problem(error)}") from error


def _problem(error: Exception) -> str:
    """What is wrong with an archive, and the remedy, without the names of its members."""
    if is_out_of_memory(error):
        return NO_MEMORY
    if isinstance(error, FileExistsError):
        return "holds two members of one name; unpack it yourself"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "no space left in the temporary folder; set TMPDIR to a folder on a larger disk"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be unpacked{words_of(error)}; unpack it yourself"
    if isinstance(error, NotImplementedError):  # an encryption or version of the format that zipfile lacks
        return f"packed in a way that is not read{words_of(error)}; unpack it yourself"
    if isinstance(error, zipfile.BadZipFile):
        return f"a damaged archive ({one_line(_QUOTED.sub('…', str(error)))}); copy the file again"
    return f"a damaged archive{words_of(error)}; copy the file again"


def _unpack(archive: Path, folder: Path, total: UnpackedTotal) -> Unpacked:
    files: list[Path] = []
    ignored = nested = expanded = 0
    packed = archive.stat().st_size
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        check_members(archive.name, members)  # all of them, before anything is written
        chosen: list[tuple[zipfile.ZipInfo, Path]] = []
        for member in members:
            target = member_path(member)
            if member.is_dir() or not target.parts:
                continue
            if any(part.startswith(".") for part in target.parts):
                ignored += 1
            elif target.name.lower().endswith(NESTED_SUFFIXES):
                nested += 1
            else:
                chosen.append((member, folder / target))
        total.check_count(archive.name, len(members))
        folder.mkdir(parents=True)
        declared = sum(member.file_size for member, _ in chosen)
        total.check_size(archive.name, expanded=declared, packed=packed)
        check_space(archive.name, folder, declared)
        for member, path in chosen:
            path.parent.mkdir(parents=True, exist_ok=True)
            # "x", since a second member of the same name would overwrite the first.
            with opened.open(member) as source, path.open("xb") as written:
                while block := source.read(BLOCK_BYTES):
                    expanded += len(block)
                    total.check_size(archive.name, expanded=expanded, packed=packed)
                    check_space(archive.name, folder, len(block))
                    written.write(block)
            files.append(path)
    total.add(members=len(members), expanded=expanded, packed=packed)
    return Unpacked(tuple(files), ignored, nested)
