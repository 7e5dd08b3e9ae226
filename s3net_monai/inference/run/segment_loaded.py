"""Segmentation of a case that was read: by this process, or for pictures by the process that read it."""

from __future__ import annotations

import time
from typing import Any

from monai.inferers import SliceInferer

from s3net_monai.inference.bundle import Bundle
from s3net_monai.inference.run.prefetch import CAN_FORK, LoadedCase
from s3net_monai.inference.run.segmenter import infer_sample
from s3net_monai.inference.run.validate_input import failure_reason


def readers_segment(bundle: Bundle, *, mode: str, workers: int, num_cases: int) -> bool:
    """Return whether the processes that read also segment, each with one thread.

    Pictures are small, and so are the planes of a volume to a network that sees one at a time: several cases, each on
    a core, take less time than one whose network has several threads. A single case, other volumes and fits get all
    threads, and a process that was forked cannot use a GPU.

    Args:
        bundle: the loaded bundle.
        mode: "amortized" or "per-image", as for ``load_bundle``.
        workers: processes that read ahead.
        num_cases: of the run.
    """
    if mode != "amortized" or bundle.device.type != "cpu" or not CAN_FORK:
        return False
    return workers > 0 and num_cases > 1 and (bundle.task.dimensions == 2 or _is_of_planes(bundle.inferer))


def _is_of_planes(inferer: Any) -> bool:
    """Return whether an inferer, or the one that gets its views, shows a volume to its network plane by plane."""
    while not isinstance(inferer, SliceInferer) and hasattr(inferer, "base"):
        inferer = inferer.base
    return isinstance(inferer, SliceInferer)


def segment_loaded(loaded: LoadedCase, bundle: Bundle) -> LoadedCase:
    """Segment a loaded case in place, and return it; an error of inference becomes its problem."""
    if loaded.sample is None:
        return loaded
    loaded.source = loaded.sample.pop("source")
    started = time.perf_counter()
    try:
        loaded.segmentation = infer_sample(loaded.sample, bundle)
    except Exception as error:  # isolation is the point: no case may end the batch
        loaded.problem = failure_reason(error, loaded.case)
        loaded.source.remove()
    finally:
        loaded.infer_seconds = time.perf_counter() - started
        loaded.sample = None  # writing does not need the preprocessed image, and a volume is large
    return loaded
