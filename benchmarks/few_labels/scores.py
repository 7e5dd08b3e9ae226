"""Scores of a trained stage on the report cases, per case and structure."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser

from benchmarks.common.work_folder import digest, folder_lock, write_json
from benchmarks.few_labels.stages import (
    folder_of,
    merged,
    merged_config,
    run_stage,
    settings_of,
)
from benchmarks.few_labels.types import Cell, FewLabelsRow, RunContext, Stage
from s3net_monai.evaluation.metrics import mask_metrics
from s3net_monai.file_formats import IMAGE_2D_SUFFIXES
from s3net_monai.inference import Bundle, Case, load_bundle
from s3net_monai.inference.discovery.find_cases import Kind
from s3net_monai.inference.run.segmenter import Segmentation, infer_sample, read_case
from s3net_monai.io.label_maps.place_label import read_label_of
from s3net_monai.utils.printing import progress_bar

DISTANCES = ("hd95", "surface_distance")

Entry = dict[str, Any]


def score_cell(row: FewLabelsRow, cell: Cell, context: RunContext, *, wait: bool = True) -> list[Entry]:
    """Score a row with one draw, after training it if necessary.

    The stage's folder keeps weights and scores.

    Returns:
        One entry per case of the test section: "case_id", and per structure the metrics of ``structure_metrics``.

    Raises:
        BusyError: Without ``wait``, when another process works on a stage of the row.
    """
    entries = cached_scores(row, cell, context)
    if entries is not None:
        return entries
    weights = run_stage(row.stage, cell, context, wait=wait)
    folder = folder_of(row.stage, cell, context)
    with folder_lock(folder, wait=wait):
        entries = cached_scores(row, cell, context)
        if entries is None:
            entries = _score(_bundle(row.stage, weights, folder, context=context), context)
            content = {"settings": _settings(row.stage, cell, context), "cases": entries}
            write_json(folder / "scores.json", content)
    return entries


def cached_scores(row: FewLabelsRow, cell: Cell, context: RunContext) -> list[Entry] | None:
    """Return the scores of an earlier run with the same settings, or None.

    The weights may be gone by then.
    """
    path = folder_of(row.stage, cell, context) / "scores.json"
    if not path.is_file():
        return None
    stored = json.loads(path.read_text(encoding="utf-8"))
    cases: list[Entry] = stored["cases"]
    return cases if stored["settings"] == _settings(row.stage, cell, context) else None


def cell_digest(row: FewLabelsRow, cell: Cell, context: RunContext) -> str:
    """Return the SHA-256 of everything that the scores of a cell depend on beside the code."""
    return digest(_settings(row.stage, cell, context))


def structure_metrics(mask: np.ndarray, truth: np.ndarray, structures: Mapping[int, str]) -> dict[str, Entry]:
    """Return Dice and distances of every structure, and whether it is missing.

    Distances are HD95 and mean symmetric surface distance in voxels.

    A structure that is absent from both mask and truth has Dice 1. One that is absent from either has distances of
    None, as there is no surface to measure to.

    Args:
        mask: label values.
        truth: label values, of the same shape.
        structures: names by label value.
    """
    metrics_by_name = {}
    for value, name in structures.items():
        predicted, expected = mask == value, truth == value
        metrics = mask_metrics(predicted, expected, (1.0,) * truth.ndim)
        measurable = bool(predicted.any() and expected.any())
        metrics_by_name[name] = {
            "dice": metrics["dice"],
            **{distance: metrics[distance] if measurable else None for distance in DISTANCES},
            "missing": bool(expected.any() and not predicted.any()),
        }
    return metrics_by_name


def _settings(stage: Stage, cell: Cell, context: RunContext) -> dict[str, Any]:
    return {**settings_of(stage, cell, context), "inference_sha256": digest(_inference_config(stage, context))}


def _score(bundle: Bundle, context: RunContext) -> list[Entry]:
    from s3net_monai.data.datalist import load_datalist

    entries = []
    for case in progress_bar(
        load_datalist(context.dataset, "test", labels=True), description="report cases", unit="case"
    ):
        segmentation = _segment(Path(case["image"]), case["case_id"], bundle)
        mask, truth = segmentation.mask, _truth(case, segmentation, binary=len(context.study.structures) == 1)
        entries.append({"case_id": case["case_id"], **structure_metrics(mask, truth, context.study.structures)})
    return entries


def _segment(image: Path, case_id: str, bundle: Bundle) -> Segmentation:
    kind: Kind = "image_2d" if image.suffix.lower() in IMAGE_2D_SUFFIXES else "volume"
    return infer_sample(read_case(Case(case_id=case_id, input=image, image=(image,), kind=kind), bundle), bundle)


def _truth(case: Mapping[str, Any], segmentation: Segmentation, *, binary: bool) -> np.ndarray:
    """The label on the grid of the image's mask."""
    shape = segmentation.mask.shape
    affine = None if len(shape) == 2 else segmentation.affine
    return read_label_of(Path(case["image"]), Path(case["label"]), shape=shape, affine=affine, binary=binary)


def _bundle(stage: Stage, weights: Path, folder: Path, *, context: RunContext) -> Bundle:
    """Load the stage's folder as a bundle of its own.

    It runs as ``s3net segment`` runs the released weights.
    """
    configs = folder / "configs"
    configs.mkdir(exist_ok=True)
    shutil.copy(context.bundle_root / "configs" / "metadata.json", configs)
    ConfigParser.export_config_file(_inference_config(stage, context), str(configs / "inference.json"), indent=1)
    if weights != folder / "models" / "model.pt":
        raise ValueError(f"{stage.name}: its artifact is {weights.name}, expected model.pt of a stage that segments")
    return load_bundle("cardiac", folder, torch.device("cuda:0" if torch.cuda.is_available() else "cpu"))


def _inference_config(stage: Stage, context: RunContext) -> dict[str, Any]:
    """Return ``configs/inference.json`` with overlays and values of the training config."""
    trained = ConfigParser(merged_config(stage, context))
    values = {name: trained[training_name] for name, training_name in stage.inference_ids.items()}
    values |= {name: trained[name] for name in _referenced_ids(values.values(), trained.get()) if name not in values}
    return merged(context, "inference", overlays=stage.inference, overrides=values)


def _referenced_ids(values: Iterable[Any], config: Mapping[str, Any]) -> set[str]:
    """Return the top-level ids that values refer to, directly or indirectly."""
    ids: set[str] = set()
    todo = list(values)
    while todo:
        names = set(re.findall(r"@(\w+)", json.dumps(todo.pop()))) - ids
        ids |= names
        todo += [config[name] for name in names]
    return ids
