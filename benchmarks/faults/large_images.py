"""Large images: memory and time of a whole run over one of them, beside the memory that the run says it needs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common.process_cost import run_measured
from s3net_monai.inference.run.memory_need import needed_bytes
from s3net_monai.tasks import TASKS

SHAPES = {"skin": ((3000, 2000), (6000, 6000), (12000, 12000)), "lung": ((512, 512, 300),)}


def measure(folder: Path, shapes: dict[str, tuple[tuple[int, ...], ...]] = SHAPES) -> dict[str, Any]:
    """Segment one image after the other, each by ``s3net segment`` as a process of its own.

    Args:
        folder: an empty folder.
        shapes: (X, Y) of pictures, (X, Y, Z) of chest CTs, by task.

    Returns:
        How many were "tried"; how many were "wrong", which failed or took more memory than ``needed_bytes``; and by
        image the memory "expected" and measured, both in "gigabytes", and the CPU "seconds".
    """
    kinds, wrong = {}, 0
    for task, images in shapes.items():
        for shape in images:
            name = f"{task}, {' x '.join(map(str, shape))}"
            work = folder / name
            image = _picture(work, shape) if len(shape) == 2 else _ct(work, shape)
            output = ["--output", str(work / "masks"), "--device", "cpu"]
            cost = run_measured([sys.executable, "-m", "s3net_monai", "segment", str(image), "--task", task, *output])
            expected = needed_bytes(shape, len(TASKS[task].labels))
            kinds[name] = {
                "exit code": cost.code,
                "expected": round(expected / 1e9, 2),
                "gigabytes": round(cost.peak_bytes / 1e9, 2),
                "seconds": round(cost.cpu_seconds, 1),
            }
            wrong += cost.code != 0 or cost.peak_bytes > expected
    return {"tried": len(kinds), "wrong": wrong, "kinds": kinds}


def _picture(folder: Path, shape: tuple[int, ...]) -> Path:
    """Write a smooth JPEG with a dark lesion in its middle."""
    folder.mkdir()
    small = np.random.default_rng(0).integers(120, 200, (40, 60, 3), dtype=np.uint8)
    small[14:26, 20:40] //= 2
    path = folder / "picture.jpg"
    Image.fromarray(small).resize((shape[0], shape[1]), Image.Resampling.BILINEAR).save(path)
    return path


def _ct(folder: Path, shape: tuple[int, ...]) -> Path:
    """Write a phantom of a chest as NIfTI."""
    from data_prep.phantom import make_phantoms

    make_phantoms("lung", folder, shape=(shape[0], shape[1], shape[2]))
    return next((folder / "images").iterdir())
