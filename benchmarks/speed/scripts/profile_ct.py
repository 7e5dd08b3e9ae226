"""Seconds of network and postprocessing apart: ``profile_ct.py RESULT.json BUNDLE SERIES``, for every build alike.

``s3net segment`` reports both as one phase. Here one process reads the series and segments it, and writes nothing.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from timing import write_result

from s3net_monai.inference import load_bundle
from s3net_monai.inference.discovery.cases import Case
from s3net_monai.inference.run.segmenter import infer_sample, read_case


def main(result: str, bundle_folder: str, series: str) -> None:
    """Segment the series and write the seconds of each phase."""
    phases: dict[str, float] = {}
    bundle = load_bundle("lung", Path(bundle_folder), torch.device("cpu"))
    files = tuple(sorted(Path(series).iterdir()))
    started = time.perf_counter()
    sample = read_case(Case(case_id="case", input=Path(series), image=files, kind="dicom_series"), bundle)
    phases["read"] = time.perf_counter() - started

    def postprocessing(sample: dict[str, Any]) -> dict[str, Any]:
        started = time.perf_counter()
        sample = bundle.postprocessing(sample)
        phases["postprocessing"] = time.perf_counter() - started
        return sample

    started = time.perf_counter()
    infer_sample(sample, replace(bundle, postprocessing=postprocessing))
    phases["network"] = time.perf_counter() - started - phases["postprocessing"]
    write_result(result, {"phases": phases})


if __name__ == "__main__":
    main(*sys.argv[1:])
