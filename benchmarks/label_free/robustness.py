"""Robustness of the released weights: agreement of masks under corruptions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor

from benchmarks.common.types import BenchmarkCase
from benchmarks.label_free.corruptions import Corruption, Image, Mask, corruption_curves, exact_corruptions
from s3net_monai.inference import Bundle, bundle_root, load_bundle
from s3net_monai.inference.bundle import reading_steps
from s3net_monai.inference.run.segmenter import infer_sample
from s3net_monai.transforms.skin_labeling import dice
from s3net_monai.utils.printing import progress_bar

MIN_AGREEMENT = 0.97  # goal for flips and rotations by multiples of 90 degrees
MAX_EXACT_CASES = 12  # per split; each takes eight runs
MAX_CURVE_CASES = 4  # per split; each takes some 25 runs

Segment = Callable[[Image], Mask]


def measure_robustness(task: str, cases: Sequence[BenchmarkCase]) -> dict[str, Any]:
    """Measure by split how masks of corrupted images agree with those of the originals.

    Masks of corrupted images are mapped back first.

    Flips and rotations by multiples of 90 degrees are measured on at most ``MAX_EXACT_CASES`` evenly spaced cases of a
    split, curves on at most ``MAX_CURVE_CASES`` of these if they are 2-D images. Only the part of an image that its
    corrupted copy shows is compared.

    Returns:
        For every split ``{"cases": N, "curve_cases": M, "truth_mean": mean Dice of the N original images with the
        truth, "exact": {name: figures}, "curves": {name: [{"value": v, **figures}, ...]}}``. Figures are "count",
        "mean", "p5" (5th percentile) and "min" of the Dice between the two masks, "truth_mean", the mean Dice of the
        corrupted image's mask with the truth, and "below", the ids of cases below ``MIN_AGREEMENT`` (for flips and
        rotations by multiples of 90 degrees).
    """
    bundle = load_bundle(task, bundle_root(task), torch.device("cpu"))
    result = {}
    for split, group in groupby(sorted(cases, key=lambda case: case.split), key=lambda case: case.split):
        result[split] = _measure_split(bundle, split, list(group))
    return result


def read_image(bundle: Bundle, path: Path) -> MetaTensor:
    """Read an image (C, X, Y[, Z]) by the bundle's readers, without other preprocessing."""
    image: MetaTensor = reading_steps(bundle.preprocessing)[0]({"image": str(path)})["image"]
    return image


def segment_array(bundle: Bundle, array: Image, like: MetaTensor) -> Mask:
    """Segment an array (C, X, Y[, Z]) with the metadata of ``like``.

    The spacing of the first two axes must be equal if the array was rotated by 90 degrees.
    """
    meta = copy.deepcopy(like.meta)
    meta["spatial_shape"] = np.asarray(array.shape[1:])
    image = MetaTensor(torch.as_tensor(array, dtype=torch.float32), meta=meta)
    return infer_sample(reading_steps(bundle.preprocessing)[1]({"image": image}), bundle).mask > 0


def _measure_split(bundle: Bundle, split: str, cases: list[BenchmarkCase]) -> dict[str, Any]:
    exact: dict[str, list[dict[str, Any]]] = {}
    points: dict[tuple[str, float | None], list[dict[str, Any]]] = {}
    cases = cases[:: -(-len(cases) // MAX_EXACT_CASES)]
    stride = -(-len(cases) // MAX_CURVE_CASES)
    original_dice = []
    for index, case in enumerate(progress_bar(cases, description=f"robustness, {split}", unit="case")):
        image = read_image(bundle, case.image)
        pixels = np.asarray(image.as_tensor(), dtype=np.float32)

        def segment(array: Image, like: MetaTensor = image) -> Mask:
            return segment_array(bundle, array, like)

        reference = segment(pixels)
        compare = partial(_compare, image=pixels, reference=reference, case=case, segment=segment)
        for corruption in exact_corruptions():
            exact.setdefault(corruption.name, []).append(compare(corruption))
        original_dice.append(dice(reference, case.truth))
        if index % stride == 0 and case.unit == "px":
            for corruption in corruption_curves("reflect" if len(pixels) == 3 else "nearest"):
                point = points.setdefault((corruption.name, corruption.value), [])
                point.append(compare(corruption))
    by_curve: dict[str, list[dict[str, Any]]] = {}
    for (name, value), compared in points.items():
        by_curve.setdefault(name, []).append({"value": value, **_figures(compared)})
    return {
        "cases": len(cases),
        "curve_cases": len(next(iter(points.values()), [])),
        "truth_mean": float(np.mean(original_dice)),
        "exact": {name: {**_figures(compared), "below": _below(compared)} for name, compared in exact.items()},
        "curves": by_curve,
    }


def _compare(
    corruption: Corruption, *, image: Image, reference: Mask, case: BenchmarkCase, segment: Segment
) -> dict[str, Any]:
    mask, visible = corruption.undo(segment(corruption.apply(image)))
    mask = mask & visible
    return {
        "case_id": case.case_id,
        "agreement": dice(mask, reference & visible),
        "truth": dice(mask, case.truth & visible),
    }


def _figures(compared: list[dict[str, Any]]) -> dict[str, float]:
    agreement = np.array([entry["agreement"] for entry in compared])
    return {
        "count": len(compared),
        "mean": float(agreement.mean()),
        "p5": float(np.percentile(agreement, 5)),
        "min": float(agreement.min()),
        "truth_mean": float(np.mean([entry["truth"] for entry in compared])),
    }


def _below(compared: list[dict[str, Any]]) -> list[str]:
    return [entry["case_id"] for entry in compared if entry["agreement"] < MIN_AGREEMENT]
