"""One simulated annotator: images in some order, their masks, a fine-tuning and its scores after every step."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser
from monai.utils import set_determinism
from tqdm import tqdm

from benchmarks.common.types import BenchmarkCase
from benchmarks.few_labels.stages import digest
from s3net_monai.active_learning import FIRST_ROUND, image_features, select_images
from s3net_monai.inference import Bundle, Case
from s3net_monai.inference.run.segmenter import infer_sample, read_case
from s3net_monai.utils.atomic import atomic_path

Entry = dict[str, Any]
Sample = dict[str, Any]


class Pool:
    """The unlabeled images that annotators choose from; a mask is read only when its image was chosen.

    Args:
        cases: dictionaries with "case_id", "image" and "label".
        root: of the bundle whose ``train.json`` and ``fine_tune.json`` train.
        bundle: the same, with the weights to begin with.
    """

    def __init__(self, cases: Sequence[Mapping[str, Any]], root: Path, bundle: Bundle) -> None:
        self.cases, self.root, self.bundle = cases, root, bundle

    @cached_property
    def samples(self) -> list[Sample]:
        """The images as the network takes them, kept in memory: every step looks at all of them."""
        images = [Path(case["image"]) for case in self.cases]
        return [_read(image, self.bundle) for image in tqdm(images, desc="pool", unit="image")]

    @cached_property
    def features(self) -> np.ndarray:
        """(N, F) by the weights to begin with: all steps of one order measure in the same space."""
        return np.stack([image_features(sample["image"], self.bundle.network) for sample in self.samples])


class Report:
    """The cases that are scored after every step.

    Args:
        cases: with their truth.
        bundle: whose preprocessing reads them; weights do not matter.
    """

    def __init__(self, cases: Sequence[BenchmarkCase], bundle: Bundle) -> None:
        self.cases, self.bundle = cases, bundle

    @cached_property
    def samples(self) -> list[Sample]:
        """As ``Pool.samples``."""
        return [_read(case.image, self.bundle) for case in tqdm(self.cases, desc="report cases", unit="case")]


def _read(image: Path, bundle: Bundle) -> Sample:
    sample = read_case(Case(case_id=image.stem, input=image, image=(image,), kind="image_2d"), bundle)
    return {"image": sample["image"]}  # the source, of full size, is for reports alone


Choose = Callable[[Pool, Bundle, Sequence[int], int, int], list[int]]


def by_consistency(pool: Pool, bundle: Bundle, chosen: Sequence[int], count: int, seed: int) -> list[int]:
    """What MONAI Label's strategy hands out: images that cover all others, then the least consistent by these weights.

    The images of a step are chosen by the weights of the step before, as by a server that trains after each step.
    """
    done = set(chosen)
    todo = [index for index in range(len(pool.cases)) if index not in done]
    scores: list[float | None] = [None] * len(pool.cases)
    if len(chosen) + count > FIRST_ROUND:
        for index in tqdm(todo, desc="consistency", unit="image"):
            scores[index] = infer_sample(dict(pool.samples[index]), bundle).consistency
    return select_images(pool.features, scores, selected=chosen, count=count)


def at_random(pool: Pool, bundle: Bundle, chosen: Sequence[int], count: int, seed: int) -> list[int]:
    """A permutation of the pool, the same for all steps."""
    order = np.random.default_rng(seed).permutation(len(pool.cases)).tolist()
    return [int(index) for index in order[len(chosen) : len(chosen) + count]]


ORDERS: dict[str, Choose] = {"consistency": by_consistency, "random": at_random}


@dataclass(frozen=True)
class Loop:
    """One order with one seed.

    ``steps`` are the numbers of corrected masks after which it is scored, ``overrides`` new values by id of the
    config that fine-tunes.
    """

    order: str
    seed: int
    steps: tuple[int, ...]
    overrides: Mapping[str, Any] = field(default_factory=dict)


def run_loop(loop: Loop, pool: Pool, report: Report, folder: Path, stamp: str) -> list[list[Entry]]:
    """Scores after every step of one annotator; what ``folder`` has of the same settings is not computed again.

    Every fine-tuning begins with the weights of the pool's bundle, so that a step does not depend on how many there
    were before it, beside their choice of images.

    Args:
        loop: see there.
        pool: to choose from.
        report: cases to score.
        folder: for a folder a step with model.pt and step.json: the images in their order, and the scores.
        stamp: of what the scores depend on beside ``loop`` and the images of the pool.

    Returns:
        By step, for every report case "case_id", "split" and "dice".
    """
    chosen: list[int] = []
    bundle = pool.bundle
    found = []
    for step in loop.steps:
        settings = {
            "order": loop.order,
            "seed": loop.seed,
            "steps": list(loop.steps[: loop.steps.index(step) + 1]),
            "pool": digest([case["case_id"] for case in pool.cases]),
            "config": digest(fine_tuning_config(pool.root, loop.overrides)),
            "stamp": stamp,
        }
        place = folder / f"{step:03d}"
        kept = read_kept(place / "step.json", settings)
        if kept is None:
            print(f"{loop.order}, seed {loop.seed}, {step} corrections", file=sys.stderr, flush=True)
            chosen = chosen + ORDERS[loop.order](pool, bundle, chosen, step - len(chosen), loop.seed)
            _fine_tune(pool, chosen, loop, place)
            kept = {"images": [pool.cases[index]["case_id"] for index in chosen]}
            kept["cases"] = score_bundle(_with_weights(pool.bundle, place), report)
            write_kept(place / "step.json", settings, kept)
        place_of = {case["case_id"]: index for index, case in enumerate(pool.cases)}
        chosen = [place_of[name] for name in kept["images"]]
        bundle = _with_weights(pool.bundle, place)
        found.append(kept["cases"])
    return found


def fine_tuning_config(root: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """``train.json`` of the bundle under ``fine_tune.json``, with which MONAI Label trains on corrections."""
    parser = ConfigParser()
    parser.read_config([str(root / "configs" / f"{name}.json") for name in ("train", "fine_tune")])
    parser.update(dict(overrides))
    config: dict[str, Any] = parser.get()
    return config


def _fine_tune(pool: Pool, chosen: Sequence[int], loop: Loop, folder: Path) -> None:
    """Leave model.pt in ``folder``: the shipped weights, fine-tuned on chosen images and on others without a mask."""
    done = set(chosen)
    others = [{"image": case["image"]} for index, case in enumerate(pool.cases) if index not in done]
    order = np.random.default_rng(loop.seed).permutation(len(others))
    parser = ConfigParser(fine_tuning_config(pool.root, loop.overrides))
    parser.update(
        {
            "bundle_root": str(pool.root),
            "output_dir": str(folder),
            "ckpt_dir": str(folder),
            "device": str(pool.bundle.device),
            "seed": loop.seed,
            "train#dataset#data": [{name: pool.cases[index][name] for name in ("image", "label")} for index in chosen],
            "train#unlabeled#data": [others[int(index)] for index in order[: parser["unlabeled_images"]]],
        }
    )
    set_determinism(seed=loop.seed)  # before the network is built: "initialize" comes to it later
    parser.get_parsed_content("initialize")
    parser.get_parsed_content("run")


def _with_weights(bundle: Bundle, folder: Path) -> Bundle:
    network = copy.deepcopy(bundle.network)
    weights = torch.load(folder / "model.pt", map_location=bundle.device, weights_only=True)
    network.load_state_dict(weights)
    return replace(bundle, network=network)


def score_bundle(bundle: Bundle, report: Report) -> list[Entry]:
    """Dice of the masks that ``s3net segment`` would give, on the pictures' own grids."""
    entries = []
    for case, sample in zip(report.cases, tqdm(report.samples, desc="scores", unit="case"), strict=True):
        mask = infer_sample(dict(sample), bundle).mask > 0
        total = int(mask.sum()) + int(case.truth.sum())
        dice = 2.0 * int((mask & case.truth).sum()) / total if total else 1.0
        entries.append({"case_id": case.case_id, "split": case.split, "dice": dice})
    return entries


def read_kept(path: Path, settings: Mapping[str, Any]) -> Entry | None:
    """What an earlier run with the same settings wrote; None where there is nothing."""
    if not path.is_file():
        return None
    stored: Entry = json.loads(path.read_text(encoding="utf-8"))
    return stored["found"] if stored["settings"] == json.loads(json.dumps(settings)) else None


def write_kept(path: Path, settings: Mapping[str, Any], found: Entry) -> None:
    """Write what ``read_kept`` reads, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps({"settings": settings, "found": found}), encoding="utf-8")
