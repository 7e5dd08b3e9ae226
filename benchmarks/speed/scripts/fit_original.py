"""Seconds of one per-image fit of the authors' network: ``fit_original.py RESULT.json BUNDLE PICTURE``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from timing import write_result

from benchmarks.original_s3net.fit import fit_original_s3net
from s3net_monai.inference import load_bundle


def main(result: str, bundle: str, picture: str) -> None:
    """Fit at 256 x 256 pixels, the authors' size, and write the seconds."""
    torch.manual_seed(0)
    loaded = load_bundle("skin", Path(bundle), torch.device("cpu"))
    image = loaded.preprocessing({"image": picture})["image"].as_tensor()
    image = torch.nn.functional.interpolate(image[None], (256, 256), mode="bilinear")[0]
    started, used = time.perf_counter(), time.process_time()
    fit_original_s3net(image)
    passed = {"step_seconds": time.perf_counter() - started, "step_cpu_seconds": time.process_time() - used}
    write_result(result, passed)


if __name__ == "__main__":
    main(*sys.argv[1:])
