"""Seconds of one step of a bundle's label-free training: ``train_step.py RESULT.json BUNDLE STEPS``.

It runs in the environment of the build that it measures, so it uses only what every build has: the bundle's
``train.json``, whose trainer takes the steps, without the handlers that validate and save.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Events
from monai.bundle import ConfigParser
from monai.utils import set_determinism
from timing import write_result

_HANDLERS = ("StopOnNonFinite", "AssignClusters")  # those that act in every step


def main(result: str, bundle: str, steps: str) -> None:
    """Train on random images, and write the median seconds of a step, the first two left out."""
    set_determinism(seed=0)
    parser = ConfigParser()
    parser.read_config(Path(bundle) / "configs" / "train.json")
    kept = [handler for handler in parser["train#handlers"] if _is_kept(handler)]
    parser["train#handlers"] = kept
    parser["train#trainer#train_data_loader"] = [_batch(parser)]
    parser["train#trainer#epoch_length"] = int(steps) + 2
    parser["max_epochs"] = 1
    trainer = parser.get_parsed_content("train#trainer")
    moments: list[tuple[float, float]] = []

    @trainer.on(Events.ITERATION_COMPLETED)
    def note(_: Any) -> None:
        moments.append((time.perf_counter(), time.process_time()))

    trainer.run()
    passed = torch.tensor(moments, dtype=torch.float64).diff(dim=0)[1:].quantile(0.5, dim=0).tolist()
    write_result(result, {"step_seconds": passed[0], "step_cpu_seconds": passed[1]})


def _is_kept(handler: Any) -> bool:
    return isinstance(handler, dict) and handler["_target_"].rpartition(".")[2] in _HANDLERS


def _batch(parser: ConfigParser) -> dict[str, torch.Tensor]:
    """Return a batch of the bundle's size: random images (B, C, X, Y[, Z]) and weak labels."""
    size = parser["spatial_size"] if "spatial_size" in parser else parser["patch_size"]
    channels = parser["network_def#network#in_channels"]
    count = parser["batch_size"]
    return {"image": torch.rand(count, channels, *size), "weak_label": torch.rand(count, 1, *size)}


if __name__ == "__main__":
    main(*sys.argv[1:])
