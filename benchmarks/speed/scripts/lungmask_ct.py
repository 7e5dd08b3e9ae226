"""lungmask on a DICOM folder: ``lungmask_ct.py RESULT.json SERIES WEIGHTS.pth MASK.nii.gz``, in its own environment.

It does what lungmask's command does with its settings, and notes the seconds of each phase. The weights of R231 are
random: they decide nothing about the time of the network. They do about the clean-up after it, which takes longer for a
mask of many pieces, so that its seconds stand apart.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import SimpleITK
import torch
from lungmask import LMInferer, utils
from lungmask.resunet import UNet
from timing import write_result

_CLASSES = 3


def main(result: str, series: str, weights: str, mask: str) -> None:
    """Segment the series and write the seconds of each phase."""
    phases: dict[str, float] = {}
    if not Path(weights).is_file():
        torch.manual_seed(0)
        network = UNet(n_classes=_CLASSES, padding=True, depth=5, up_mode="upsample", batch_norm=True, residual=False)
        torch.save(network.state_dict(), weights)
    image = _noted(phases, "read", utils.load_input_image)(series, disable_tqdm=True)
    utils.postprocessing = _noted(phases, "clean-up", utils.postprocessing)
    inferer = LMInferer(modelpath=weights, tqdm_disable=True)
    segmented = _noted(phases, "infer", inferer.apply)(image)
    phases["infer"] -= phases["clean-up"]
    written = SimpleITK.GetImageFromArray(segmented)
    written.CopyInformation(image)
    _noted(phases, "write", SimpleITK.WriteImage)(written, mask)
    write_result(result, {"phases": phases})


def _noted(phases: dict[str, float], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        returned = function(*arguments, **options)
        phases[name] = time.perf_counter() - started
        return returned

    return run


if __name__ == "__main__":
    main(*sys.argv[1:])
