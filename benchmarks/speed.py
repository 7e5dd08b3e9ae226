"""``python -m benchmarks speed``: time of a forward pass, time and memory of a whole CT."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.common.process_cost import run_measured
from s3net_monai.file_formats import REPORT_NAME
from s3net_monai.inference import bundle_root, load_bundle

_REPEATS = 10
_IMAGE_SHAPE = (1, 3, 256, 256)
_CT_SHAPE = (512, 512, 300)


def speed_benchmark(ct_shape: tuple[int, int, int] = _CT_SHAPE) -> dict[str, Any]:
    """Time a 256 x 256 image in the skin network, and a phantom CT in ``s3net segment``.

    The CT is a DICOM series.

    Args:
        ct_shape: numbers of columns, rows and slices of the CT.
    """
    from data_prep.phantom import make_phantoms

    skin = load_bundle("skin", bundle_root("skin"), torch.device("cpu"))
    result: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "threads": torch.get_num_threads(), "torch": torch.__version__},
        "forward_256": forward_seconds(skin.network, _IMAGE_SHAPE),
    }
    with tempfile.TemporaryDirectory() as folder:
        make_phantoms("lung", Path(folder), dicom=True, shape=ct_shape)
        series = next((Path(folder) / "images").iterdir())
        result["ct"] = {
            "shape": list(ct_shape),
            **segment_process(series, task="lung", formats="nifti,dicomseg", output=Path(folder) / "out"),
        }
    return result


def forward_seconds(network: torch.nn.Module, shape: tuple[int, ...], repeats: int = _REPEATS) -> dict[str, float]:
    """Return the median, least and most seconds of a forward pass of random images.

    Args:
        network: network to time.
        shape: (B, C, X, Y[, Z]) of the images.
        repeats: number of timed passes, after one that is not timed.
    """
    network.eval()
    image = torch.rand(shape)
    seconds = []
    with torch.inference_mode():
        network(image)
        for _ in range(repeats):
            start = time.perf_counter()
            network(image)
            seconds.append(time.perf_counter() - start)
    return {"median": statistics.median(seconds), "least": min(seconds), "most": max(seconds)}


def segment_process(image: Path, *, task: str, formats: str, output: Path) -> dict[str, Any]:
    """Run ``s3net segment`` as a process of its own, and measure it.

    Returns:
        "formats", "wall_seconds", "peak_gb" of memory, and the seconds of each phase in "phases".

    Raises:
        RuntimeError: When the command fails.
    """
    command = [sys.executable, "-m", "s3net_monai", "segment", str(image), "--task", task]
    cost = run_measured([*command, "--formats", formats, "--output", str(output)])
    if cost.code:
        raise RuntimeError(f"{image}: s3net segment ended with {cost.code}; its message is above")
    report = json.loads((output / REPORT_NAME).read_text(encoding="utf-8"))
    return {
        "formats": formats,
        "wall_seconds": cost.wall_seconds,
        "peak_gb": cost.peak_bytes / 1024**3,
        "phases": report["cases"][0]["seconds"],
    }
