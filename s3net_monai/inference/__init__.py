"""Inference: find cases, run a bundle on each, and write masks and a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s3net_monai.utils.lazy_names import lazy_names

if TYPE_CHECKING:
    from s3net_monai.inference.bundle import Bundle, bundle_root, load_bundle
    from s3net_monai.inference.device import parse_device
    from s3net_monai.inference.discovery.find_cases import Case, find_cases
    from s3net_monai.inference.run.batch import Settings, run_batch
    from s3net_monai.utils.errors import UsageError
else:
    __getattr__, __dir__ = lazy_names(__name__, __file__)

__all__ = [
    "Bundle",
    "Case",
    "Settings",
    "UsageError",
    "bundle_root",
    "find_cases",
    "load_bundle",
    "parse_device",
    "run_batch",
]
