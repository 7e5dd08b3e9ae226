"""How steady the shipped weights' masks are under changes of the image that should not change them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from tqdm import tqdm

from benchmarks.common.types import BenchmarkCase
from benchmarks.label_free.corruptions import Corruption, Image, Mask, curves, exact_changes
from s3net_monai.inference import Bundle, bundle_root, load_bundle
from s3net_monai.inference.bundle import reading_steps
from s3net_monai.inference.run.segmenter import infer_sample
from s3net_monai.transforms.skin_labeling import dice

LEAST_AGREEMENT = 0.97  # that flips and quarter turns must keep
EXACT_CASES = 12  # of a split; eight runs a case
CURVE_CASES = 4  # of a split; the curves take some 25 runs a case

Segment = Callable[[Image], Mask]


def measure_robustness(task: str, cases: Sequence[BenchmarkCase]) -> dict[str, Any]:
    """Agreement of the masks of changed images, mapped back, with the masks of the unchanged ones, by split.

    Flips and quarter turns are measured on at most ``EXACT_CASES`` evenly chosen cases of a split, curves on at most
    ``CURVE_CASES`` of them, if they are pictures.
    Only the part of an image that its changed copy shows is compared.

    Returns:
        For every split ``{"cases": N, "curve_cases": M, "truth_mean": mean Dice of the N unchanged images with the
        truth, "exact": {name: figures}, "curves": {name: [{"value": v, **figures}, ...]}}``. Figures are "count",
        "mean", "p5" (5th percentile) and "min" of the Dice between the two masks, "truth_mean", the mean Dice of the
        changed image's mask with the truth, and "below", the ids of cases under ``LEAST_AGREEMENT`` (for flips and
        turns).
    """
    bundle = load_bundle(task, bundle_root(task), torch.device("cpu"))
    result = {}
    for split, group in groupby(sorted(cases, key=lambda case: case.split), key=lambda case: case.split):
        result[split] = _measure_split(bundle, split, list(group))
    return result


def read_image(bundle: Bundle, path: Path) -> MetaTensor:
    """An image (C, X, Y[, Z]) as the bundle's own readers give it, before any other preprocessing."""
    image: MetaTensor = reading_steps(bundle.preprocessing)[0]({"image": str(path)})["image"]
    return image


def segment_array(bundle: Bundle, array: Image, like: MetaTensor) -> Mask:
    """Mask (X, Y[, Z]) of an array (C, X, Y[, Z]) by the bundle, with metadata as of ``like``.

    The spacing of the first two axes must be equal where an array was turned by a quarter.
    """
    meta = copy.deepcopy(like.meta)
    meta["spatial_shape"] = np.asarray(array.shape[1:])
    image = MetaTensor(torch.as_tensor(array, dtype=torch.float32), meta=meta)
    return infer_sample(reading_steps(bundle.preprocessing)[1]({"image": image}), bundle).mask > 0


def _measure_split(bundle: Bundle, split: str, cases: list[BenchmarkCase]) -> dict[str, Any]:
    exact: dict[str, list[dict[str, Any]]] = {}
    points: dict[tuple[str, float | None], list[dict[str, Any]]] = {}
    cases = cases[:: -(-len(cases) // EXACT_CASES)]
    stride = -(-len(cases) // CURVE_CASES)
    unchanged = []
    for index, case in enumerate(tqdm(cases, desc=f"robustness, {split}", unit="case")):
        image = read_image(bundle, case.image)
        pixels = np.asarray(image.as_tensor(), dtype=np.float32)

        def segment(array: Image, like: MetaTensor = image) -> Mask:
            return segment_array(bundle, array, like)

        reference = segment(pixels)
        for change in exact_changes():
            exact.setdefault(change.name, []).append(_compare(change, pixels, reference, case, segment))
        unchanged.append(dice(reference, case.truth))
        if index % stride == 0 and case.unit == "px":
            for change in curves("reflect" if len(pixels) == 3 else "nearest"):
                point = points.setdefault((change.name, change.value), [])
                point.append(_compare(change, pixels, reference, case, segment))
    by_curve: dict[str, list[dict[str, Any]]] = {}
    for (name, value), compared in points.items():
        by_curve.setdefault(name, []).append({"value": value, **_figures(compared)})
    return {
        "cases": len(cases),
        "curve_cases": len(next(iter(points.values()), [])),
        "truth_mean": float(np.mean(unchanged)),
        "exact": {name: {**_figures(compared), "below": _below(compared)} for name, compared in exact.items()},
        "curves": by_curve,
    }


def _compare(
    change: Corruption, image: Image, reference: Mask, case: BenchmarkCase, segment: Segment
) -> dict[str, Any]:
    mask, shown = change.undo(segment(change.apply(image)))
    mask = mask & shown
    return {
        "case_id": case.case_id,
        "agreement": dice(mask, reference & shown),
        "truth": dice(mask, case.truth & shown),
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
    return [entry["case_id"] for entry in compared if entry["agreement"] < LEAST_AGREEMENT]
