"""Scores of a trained stage on the report cases, case by case and structure by structure."""

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
from tqdm import tqdm

from benchmarks.few_labels.stages import (
    digest,
    folder_of,
    merged,
    merged_config,
    run_stage,
    settings_of,
    stage_lock,
)
from benchmarks.few_labels.types import Cell, FewLabelsRow, Place, Stage
from s3net_monai.evaluation.masks import read_mask
from s3net_monai.evaluation.metrics import mask_metrics
from s3net_monai.inference import Bundle, Case, load_bundle
from s3net_monai.inference.discovery.find_cases import IMAGE_2D_SUFFIXES, Kind
from s3net_monai.inference.run.segmenter import infer_sample, read_case
from s3net_monai.utils.atomic import atomic_path

DISTANCES = ("hd95", "surface_distance")

Entry = dict[str, Any]


def score_cell(row: FewLabelsRow, cell: Cell, place: Place, wait: bool = True) -> list[Entry]:
    """Scores of a row with one draw, trained first where that is left to do; both are kept in the stage's folder.

    Returns:
        For every case of the test section "case_id" and by structure "dice", "hd95" and "surface_distance" in voxels,
        see `structure_metrics`.

    Raises:
        BusyError: without ``wait``, when another process is at a stage of the row.
    """
    kept = kept_scores(row, cell, place)
    if kept is not None:
        return kept
    weights = run_stage(row.stage, cell, place, wait)
    folder = folder_of(row.stage, cell, place)
    with stage_lock(folder, wait):
        kept = kept_scores(row, cell, place)
        if kept is None:
            kept = _score(_bundle(row.stage, weights, folder, place), place)
            with atomic_path(folder / "scores.json") as temporary:
                content = {"settings": _settings(row.stage, cell, place), "cases": kept}
                temporary.write_text(json.dumps(content), encoding="utf-8")
    return kept


def kept_scores(row: FewLabelsRow, cell: Cell, place: Place) -> list[Entry] | None:
    """Scores of an earlier run with the same settings, None where there are none. They need no weights any more."""
    path = folder_of(row.stage, cell, place) / "scores.json"
    if not path.is_file():
        return None
    stored = json.loads(path.read_text(encoding="utf-8"))
    cases: list[Entry] = stored["cases"]
    return cases if stored["settings"] == _settings(row.stage, cell, place) else None


def cell_digest(row: FewLabelsRow, cell: Cell, place: Place) -> str:
    """SHA-256 of all that the scores of a cell depend on, beside the code."""
    return digest(_settings(row.stage, cell, place))


def structure_metrics(mask: np.ndarray, truth: np.ndarray, structures: Mapping[int, str]) -> dict[str, Entry]:
    """Dice, HD95 and mean symmetric surface distance in voxels of every structure.

    Absent from mask and truth: Dice 1. Absent from either: distances None, as there is no surface to measure to.

    Args:
        mask, truth: label values, of one shape.
        structures: names by label value.
    """
    found = {}
    for value, name in structures.items():
        predicted, expected = mask == value, truth == value
        metrics = mask_metrics(predicted, expected, (1.0,) * truth.ndim)
        measurable = bool(predicted.any() and expected.any())
        found[name] = {
            "dice": metrics["dice"],
            **{each: metrics[each] if measurable else None for each in DISTANCES},
            "missing": bool(expected.any() and not predicted.any()),
        }
    return found


def _settings(stage: Stage, cell: Cell, place: Place) -> dict[str, Any]:
    return {**settings_of(stage, cell, place), "inference_sha256": digest(_inference_config(stage, place))}


def _score(bundle: Bundle, place: Place) -> list[Entry]:
    from s3net_monai.data.datalist import load_datalist

    entries = []
    for case in tqdm(load_datalist(place.dataset, "test", labels=True), desc="report cases", unit="case"):
        mask, truth = _segment(Path(case["image"]), case["case_id"], bundle), _truth(Path(case["label"]))
        if mask.shape != truth.shape:
            raise ValueError(f"{case['case_id']}: mask of {mask.shape}, expected the truth's {truth.shape}")
        entries.append({"case_id": case["case_id"], **structure_metrics(mask, truth, place.study.structures)})
    return entries


def _segment(image: Path, case_id: str, bundle: Bundle) -> np.ndarray:
    kind: Kind = "image_2d" if image.suffix.lower() in IMAGE_2D_SUFFIXES else "volume"
    return infer_sample(read_case(Case(case_id=case_id, input=image, image=(image,), kind=kind), bundle), bundle).mask


def _truth(path: Path) -> np.ndarray:
    if path.suffix.lower() in IMAGE_2D_SUFFIXES:
        return read_mask(path).array
    import nibabel

    stored: Any = nibabel.load(path)  # not read_mask: it turns axes, and here both stay on the grid of the file
    return np.asarray(stored.dataobj)


def _bundle(stage: Stage, weights: Path, folder: Path, place: Place) -> Bundle:
    """The stage's folder as a bundle of its own, run as ``s3net segment`` runs the shipped weights."""
    configs = folder / "configs"
    configs.mkdir(exist_ok=True)
    shutil.copy(place.bundle_root / "configs" / "metadata.json", configs)
    ConfigParser.export_config_file(_inference_config(stage, place), str(configs / "inference.json"), indent=1)
    if weights != folder / "models" / "model.pt":
        raise ValueError(f"{stage.name}: its product is {weights.name}, expected model.pt of a stage that segments")
    return load_bundle("cardiac", folder, torch.device("cuda:0" if torch.cuda.is_available() else "cpu"))


def _inference_config(stage: Stage, place: Place) -> dict[str, Any]:
    """``configs/inference.json`` under its overlays, with what the stage takes from the training config."""
    trained = ConfigParser(merged_config(stage, place))
    taken = {name: trained[other] for name, other in stage.inference_ids.items()}
    taken |= {name: trained[name] for name in _referred(taken.values(), trained.get()) if name not in taken}
    return merged(place, "inference", stage.inference, taken)


def _referred(values: Iterable[Any], config: Mapping[str, Any]) -> set[str]:
    """The ids of the top level that values refer to, however indirectly."""
    found: set[str] = set()
    todo = list(values)
    while todo:
        names = set(re.findall(r"@(\w+)", json.dumps(todo.pop()))) - found
        found |= names
        todo += [config[name] for name in names]
    return found
