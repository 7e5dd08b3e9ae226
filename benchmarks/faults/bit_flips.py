"""Single flipped bits in the compressed part of image files: each must be refused, or change nothing.

Headers of NRRD, MetaImage and TIFF are not compressed and have no checksum, so only bits of the stream are flipped; of
NIfTI and PNG, which protect everything, bits of the whole file.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.faults import sound_files
from benchmarks.faults.reading import outcome, read
from benchmarks.faults.sound_files import Files, write_files

SEED = 22


def measure(folder: Path, count: int = 1000) -> dict[str, Any]:
    """Flip bits and read the files.

    Args:
        folder: an empty folder.
        count: of flipped bits, spread over the formats.

    Returns:
        How many were "tried"; how many were "wrong": accepted with other voxels or another affine, or not refused in
        one line of the product; and every outcome by format under "kinds".
    """
    bases = _bases()
    formats: dict[str, Counter[str]] = {kind: Counter() for kind in bases}
    examples: list[str] = []
    for index, (kind, (files, main, damaged, span)) in enumerate(bases.items()):
        work = folder / str(index)
        write_files(work, files)
        sound = read(work, main, label=kind.startswith("label"))
        random = Random(f"{SEED} {kind}")
        for _ in range(count // len(bases) + (index < count % len(bases))):
            data = bytearray(files[damaged])
            position, bit = random.randrange(span[0], span[1] or len(data)), random.randrange(8)
            data[position] ^= 1 << bit
            result = outcome(work, main, {damaged: bytes(data)}, sound, label=kind.startswith("label"))
            formats[kind][result.partition(":")[0]] += 1
            if result not in ("equal", "refused") and len(examples) < 20:
                examples.append(f"{kind}: bit {bit} of byte {position}: {result}")
        shutil.rmtree(work)
    total = sum(formats.values(), Counter())
    return {
        "tried": total.total(),
        "wrong": total["changed"] + total["warned"] + total["traceback"],
        "kinds": {kind: dict(sorted(outcomes.items())) for kind, outcomes in formats.items()},
        "examples": examples,
    }


def _bases() -> dict[str, tuple[Files, str, str, tuple[int, int]]]:
    """Return, by kind, the files, the one to give, the one to damage, and the bytes of it that are compressed."""
    nrrd = sound_files.itk_volume("a.nrrd", compress=True)
    meta = sound_files.itk_volume("a.mha", compress=True)
    detached = sound_files.itk_volume("a.nhdr", compress=True)
    detached_meta = sound_files.itk_volume("a.mhd", compress=True)
    label = sound_files.segmentation()
    deflated = sound_files.picture("a.tif", compression="tiff_adobe_deflate")
    return {
        "NIfTI gzip": (sound_files.nifti("a.nii.gz"), "a.nii.gz", "a.nii.gz", (0, 0)),
        "NRRD gzip": (nrrd, "a.nrrd", "a.nrrd", (sound_files.nrrd_start(nrrd["a.nrrd"]), 0)),
        "NRRD gzip, detached": (detached, "a.nhdr", "a.raw.gz", (0, 0)),
        "MetaImage zlib": (meta, "a.mha", "a.mha", (sound_files.meta_start(meta["a.mha"]), 0)),
        "MetaImage zlib, detached": (detached_meta, "a.mhd", "a.zraw", (0, 0)),
        "TIFF deflate": (deflated, "a.tif", "a.tif", sound_files.tiff_span(deflated["a.tif"])),
        "PNG": (sound_files.picture("a.png"), "a.png", "a.png", (0, 0)),
        "PNG, 16 bits": (sound_files.picture("a.png", deep=True), "a.png", "a.png", (0, 0)),
        "label NIfTI gzip": (
            sound_files.nifti("a.nii.gz", array=sound_files.labels()),
            "a.nii.gz",
            "a.nii.gz",
            (0, 0),
        ),
        "label .seg.nrrd": (
            label,
            "label.seg.nrrd",
            "label.seg.nrrd",
            (sound_files.nrrd_start(label["label.seg.nrrd"]), 0),
        ),
        "zip": (sound_files.zipped(), "study.zip", "study.zip", (0, 0)),
    }
