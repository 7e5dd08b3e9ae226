"""Fetch a study, and print memory, seconds and error as JSON: ``client URL FOLDER LISTING_SECONDS IMAGE_BYTES``."""

from __future__ import annotations

import importlib
import sys
import time
from dataclasses import replace
from pathlib import Path

from s3net_monai.inference.dicomweb import limits
from s3net_monai.inference.dicomweb.transfer import fetch_study
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.printing import print_json

STUDY = "1.2.3"
LOADED_LATE = ("dicomweb_client", "ijson", "pydicom", "python_multipart", "requests")


def peak_megabytes() -> float:
    """Return the largest resident size of this process so far (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def main(url: str, folder: str, listing_seconds: str, image_bytes: str) -> None:
    """Fetch the study, which the server does not let succeed."""
    for module in LOADED_LATE:  # so that their size is part of the start
        importlib.import_module(module)
    limits.LISTING = replace(limits.LISTING, seconds=float(listing_seconds))
    limits.INSTANCE = replace(limits.INSTANCE, size=int(image_bytes))
    before, start = peak_megabytes(), time.perf_counter()
    error = ""
    try:
        fetch_study(url, STUDY, folder=Path(folder), task="lung")
    except UsageError as caught:
        error = str(caught)
    result = {"megabytes": peak_megabytes() - before, "seconds": time.perf_counter() - start, "error": error}
    print_json(result)


if __name__ == "__main__":
    main(*sys.argv[1:])
