"""Mutated files of every format: each must be refused in one line, or read as the file says.

Every file is read in a process of its own kind, which is ended where it takes too long.
"""

from __future__ import annotations

import multiprocessing
import shutil
from collections import Counter
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from benchmarks.faults import sound_files
from benchmarks.faults.header_edits import Edit, edits
from benchmarks.faults.reading import Image, outcome, read
from benchmarks.faults.sound_files import Files, write_files

SEED = 22
SECONDS = 20.0  # for one file; a sound one takes some 10 ms
SECONDS_TO_START = 300.0
BYTE_KINDS = ("flip", "overwrite", "insert", "remove", "cut")
WRONG = ("traceback", "hang", "crash", "silent")


class Base(NamedTuple):
    """Sound files.

    Attributes:
        files: by name.
        main: the one to give to the reader; empty for the folder.
        damaged: the one to mutate byte by byte.
        protected: its bytes that a checksum covers, from one to before another; 0 for the end.
    """

    files: Files
    main: str
    damaged: str
    protected: tuple[int, int] | None = None


def measure(folder: Path, count: int = 2000) -> dict[str, Any]:
    """Mutate files and read them.

    Args:
        folder: an empty folder.
        count: of files. Edits of header fields take a half of them at most; the rest are mutated bytes.

    Returns:
        How many were "tried"; how many were "wrong"; of these "traceback" (an error that is not one line of the
        product's own), "hang", "crash" (the process ended) and "silent" (accepted without a note with other voxels or
        another position, although a checksum or another field of the file tells); "unprotected" are changes that
        nothing in the file contradicts; every outcome by format under "kinds", and some descriptions under "examples".
    """
    jobs = _jobs(count)
    bases: dict[str, Counter[str]] = {name: Counter() for name in base_names()}
    examples: list[str] = []
    worker = _Worker(folder)
    for name, kind, index in jobs:
        result, contradicted, description = worker.run(name, kind, index)
        if result == "changed":
            result = "silent" if contradicted else "unprotected"
        bases[name][result.partition(":")[0]] += 1
        if result.partition(":")[0] in WRONG and len(examples) < 60:
            examples.append(f"{name}: {description}: {result}")
    worker.stop()
    total = sum(bases.values(), Counter())
    return {
        "tried": total.total(),
        "wrong": sum(total[kind] for kind in WRONG),
        **{kind: total[kind] for kind in (*WRONG, "unprotected")},
        "kinds": {name: dict(sorted(outcomes.items())) for name, outcomes in bases.items()},
        "examples": examples,
    }


def base_names() -> list[str]:
    """Return the names of the bases."""
    return list(_makers())


def _jobs(count: int) -> list[tuple[str, str, int]]:
    """Return (base, kind, number) of every mutation."""
    random = Random(SEED)
    fields = [(name, "field", index) for name in base_names() for index in range(len(_edits(name)))]
    random.shuffle(fields)
    fields = fields[: count // 2]
    names = base_names()
    raw = [
        (names[index % len(names)], BYTE_KINDS[index % len(BYTE_KINDS)], index) for index in range(count - len(fields))
    ]
    return sorted([*fields, *raw])


def _makers() -> dict[str, Any]:
    picture, volume = sound_files.picture, sound_files.itk_volume
    return {
        "NIfTI": lambda: _single(sound_files.nifti("a.nii")),
        "NIfTI without qform": lambda: _single(sound_files.nifti("a.nii", codes=(2, 0))),
        "NIfTI gzip": lambda: _single(sound_files.nifti("a.nii.gz"), (0, 0)),
        "NRRD": lambda: _single(volume("a.nrrd")),
        "NRRD gzip": lambda: _with_stream(volume("a.nrrd", compress=True), sound_files.nrrd_start),
        "NRRD detached": lambda: Base(volume("a.nhdr"), "a.nhdr", "a.nhdr"),
        "NRRD gzip detached": lambda: Base(volume("a.nhdr", compress=True), "a.nhdr", "a.raw.gz", (0, 0)),
        "MetaImage": lambda: _single(volume("a.mha")),
        "MetaImage zlib": lambda: _with_stream(volume("a.mha", compress=True), sound_files.meta_start),
        "MetaImage detached": lambda: Base(volume("a.mhd"), "a.mhd", "a.mhd"),
        "MetaImage zlib detached": lambda: Base(volume("a.mhd", compress=True), "a.mhd", "a.zraw", (0, 0)),
        "PNG": lambda: _single(picture("a.png"), (0, 0)),
        "PNG 16 bits": lambda: _single(picture("a.png", deep=True), (0, 0)),
        "TIFF": lambda: _single(picture("a.tif")),
        "TIFF deflate": lambda: _with_stream(picture("a.tif", compression="tiff_adobe_deflate"), sound_files.tiff_span),
        "TIFF LZW": lambda: _single(picture("a.tif", compression="tiff_lzw")),
        "JPEG": lambda: _single(picture("a.jpg", quality=95)),
        "BMP": lambda: _single(picture("a.bmp")),
        "CT series": lambda: Base(sound_files.series(), "", "1.dcm"),
        "CT series deflated": lambda: Base(sound_files.series(deflated=True), "", "1.dcm"),
        "VL image": lambda: _single(sound_files.photo()),
        "label NIfTI gzip": lambda: _single(sound_files.nifti("a.nii.gz", array=sound_files.labels()), (0, 0)),
        "label .seg.nrrd": lambda: _with_stream(sound_files.segmentation(), sound_files.nrrd_start),
        "label PNG": lambda: _single(picture("a.png", label=True), (0, 0)),
        "DICOMDIR": lambda: Base(sound_files.disc(), "DICOMDIR", "DICOMDIR"),
        "zip": lambda: _single(sound_files.zipped(), (0, 0)),
    }


@cache
def _base(name: str) -> Base:
    base: Base = _makers()[name]()
    return base


@cache
def _edits(name: str) -> list[Edit]:
    return list(edits(_base(name).files, _base(name).main))


def _single(files: Files, protected: tuple[int, int] | None = None) -> Base:
    (name,) = files
    return Base(files, name, name, protected)


def _with_stream(files: Files, find: Any) -> Base:
    (name,) = files
    found = find(files[name])
    return Base(files, name, name, found if isinstance(found, tuple) else (found, 0))


def _mutated(base: Base, kind: str, index: int) -> tuple[Files, bool, str]:
    """Return the mutated file, whether a checksum covers what was changed, and a description."""
    data = base.files[base.damaged]
    random = Random(f"{SEED} {kind} {index}")
    at, size = random.randrange(len(data)), random.randint(1, 24)
    noise = random.randbytes(size)
    changed = {
        "flip": data[:at] + bytes([data[at] ^ 1 << size % 8]) + data[at + 1 :],
        "overwrite": data[:at] + noise[: len(data) - at] + data[at + size :],
        "insert": data[:at] + noise + data[at:],
        "remove": data[:at] + data[at + size :],
        "cut": data[:at],
    }[kind]
    first, end = base.protected or (len(data), len(data))
    covered = first <= at and at + size <= (end or len(data))
    return {base.damaged: changed}, covered, f"{kind} of {size} at {at} of {len(data)}"


def _serve(folder: Path, pipe: Connection) -> None:
    """Read one mutated file for every message, until the pipe ends."""
    sound: dict[str, Image] = {}
    pipe.send("ready")
    while job := pipe.recv():
        name, kind, index = job
        base, label = _base(name), name.startswith("label")
        work = folder / "work"
        if name not in sound:
            write_files(work, base.files)
            sound[name] = read(work, base.main, label=label)
            shutil.rmtree(work)
        write_files(work, base.files)
        if kind == "field":
            edit = _edits(name)[index]
            changed, contradicted, description = edit.files, edit.contradicted, edit.name
        else:
            changed, contradicted, description = _mutated(base, kind, index)
        result = outcome(work, base.main, changed, sound[name], label=label)
        shutil.rmtree(work)
        pipe.send((result, contradicted, description))


class _Worker:
    """A process that reads files, and is started again where it hangs or ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: BaseProcess | None = None
        self._pipe: Any = None

    def run(self, name: str, kind: str, index: int) -> tuple[str, bool, str]:
        """Return the outcome, whether something contradicts the mutation, and a description."""
        if self._process is None:
            self._start()
        self._pipe.send((name, kind, index))
        try:
            if self._pipe.poll(SECONDS):
                result: tuple[str, bool, str] = self._pipe.recv()
                return result
            failed = "hang"
        except (EOFError, ConnectionError):
            failed = "crash"
        self.stop()
        return failed, False, f"{kind} {index}"

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # threads of libraries do not survive a fork
        shutil.rmtree(self._folder / "work", ignore_errors=True)
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._folder, other), daemon=True)
        self._process.start()
        other.close()
        if not self._pipe.poll(SECONDS_TO_START):
            raise RuntimeError("the reading process does not start")
        self._pipe.recv()

    def stop(self) -> None:
        """End the process, if one runs."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
            self._process = None
