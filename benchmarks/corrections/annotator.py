"""Simulated annotator: images in some order, fine-tuning and scores after every step."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from monai.bundle import ConfigParser
from monai.utils import set_determinism

from benchmarks.common.types import BenchmarkCase
from benchmarks.common.work_folder import digest, read_cached, write_cached
from s3net_monai.active_learning import FIRST_ROUND, image_features, select_images
from s3net_monai.inference import Bundle, Case
from s3net_monai.inference.run.segmenter import infer_sample, read_case
from s3net_monai.utils.printing import print_note, progress_bar
from s3net_monai.utils.tensor_file import read_tensors

Entry = dict[str, Any]
Sample = dict[str, Any]


class Pool:
    """Unlabeled images that annotators choose from.

    A mask is read only after its image was chosen.

    Args:
        cases: dictionaries with "case_id", "image" and "label".
        root: folder of the bundle whose ``train.json`` and ``fine_tune.json`` train.
        bundle: the same bundle with its weights before any correction.
    """

    def __init__(self, cases: Sequence[Mapping[str, Any]], root: Path, bundle: Bundle) -> None:
        self.cases, self.root, self.bundle = cases, root, bundle

    @cached_property
    def samples(self) -> list[Sample]:
        """Preprocessed images, which stay in memory because every step segments all of them."""
        images = [Path(case["image"]) for case in self.cases]
        return [_read(image, self.bundle) for image in progress_bar(images, description="pool", unit="image")]

    @cached_property
    def features(self) -> np.ndarray:
        """(N, F) features by the weights before any correction.

        So all steps measure distances in the same space.
        """
        return np.stack([image_features(sample["image"], self.bundle.network) for sample in self.samples])


class ReportCases:
    """Cases that are scored after every step.

    Args:
        cases: cases with their ground truth.
        bundle: bundle whose preprocessing reads them; its weights do not matter.
    """

    def __init__(self, cases: Sequence[BenchmarkCase], bundle: Bundle) -> None:
        self.cases, self.bundle = cases, bundle

    @cached_property
    def samples(self) -> list[Sample]:
        """Preprocessed images, which stay in memory."""
        return [
            _read(case.image, self.bundle) for case in progress_bar(self.cases, description="report cases", unit="case")
        ]


def _read(image: Path, bundle: Bundle) -> Sample:
    sample = read_case(Case(case_id=image.stem, input=image, image=(image,), kind="image_2d"), bundle)
    return {"image": sample["image"]}  # without the source image in its full size, which only reports need


class Order(Protocol):
    """Choice of the next images of a pool."""

    def __call__(self, pool: Pool, bundle: Bundle, chosen: Sequence[int], *, count: int, seed: int) -> list[int]:
        """Return the indices of ``count`` images that are not among the chosen ones."""


def by_consistency(pool: Pool, bundle: Bundle, chosen: Sequence[int], *, count: int, seed: int) -> list[int]:
    """Choose images that cover all others first, then the least consistent ones.

    MONAI Label's strategy chooses alike.

    The images of a step are chosen by the weights of the step before, as by a server that trains after each step.
    """
    chosen_set = set(chosen)
    todo = [index for index in range(len(pool.cases)) if index not in chosen_set]
    scores: list[float | None] = [None] * len(pool.cases)
    if len(chosen) + count > FIRST_ROUND:
        for index in progress_bar(todo, description="consistency", unit="image"):
            scores[index] = infer_sample(dict(pool.samples[index]), bundle).consistency
    return select_images(pool.features, scores, selected=chosen, count=count)


def at_random(pool: Pool, bundle: Bundle, chosen: Sequence[int], *, count: int, seed: int) -> list[int]:
    """Choose the next images of a permutation of the pool that is the same for all steps."""
    order = np.random.default_rng(seed).permutation(len(pool.cases)).tolist()
    return [int(index) for index in order[len(chosen) : len(chosen) + count]]


ORDERS: dict[str, Order] = {"consistency": by_consistency, "random": at_random}


@dataclass(frozen=True, kw_only=True)
class AnnotatorRun:
    """One order of images with one seed.

    Attributes:
        order: name in ``ORDERS``.
        seed: seed of random choices and of all trainings.
        steps: numbers of corrected masks after which the network is fine-tuned and scored.
        overrides: new values by id of the config that fine-tunes.
    """

    order: str
    seed: int
    steps: tuple[int, ...]
    overrides: Mapping[str, Any] = field(default_factory=dict)


def run_annotator(
    run: AnnotatorRun, pool: Pool, report_cases: ReportCases, *, folder: Path, cache_key: str
) -> list[list[Entry]]:
    """Return the scores after every step of one annotator.

    Steps of the same settings in ``folder`` are reused.

    Every fine-tuning starts from the weights of the pool's bundle. So a step depends on the earlier steps only by their
    choice of images.

    Args:
        run: order, seed and steps.
        pool: images to choose from.
        report_cases: cases to score.
        folder: gets one folder per step with model.pt and step.json: the images in their order, and the scores.
        cache_key: identifies everything that the scores depend on beside ``run`` and the images of the pool.

    Returns:
        Per step and report case "case_id", "split" and "dice".
    """
    chosen: list[int] = []
    bundle = pool.bundle
    scores = []
    pool_indices = {case["case_id"]: index for index, case in enumerate(pool.cases)}
    for step in run.steps:
        settings = {
            "order": run.order,
            "seed": run.seed,
            "steps": list(run.steps[: run.steps.index(step) + 1]),
            "pool": digest([case["case_id"] for case in pool.cases]),
            "config": digest(fine_tuning_config(pool.root, run.overrides)),
            "cache_key": cache_key,
        }
        step_folder = folder / f"{step:03d}"
        cached = read_cached(step_folder / "step.json", settings)
        if cached is None:
            print_note(f"{run.order}, seed {run.seed}, {step} corrections")
            chosen = chosen + ORDERS[run.order](pool, bundle, chosen, count=step - len(chosen), seed=run.seed)
            _fine_tune(pool, chosen, run, folder=step_folder)
            cached = {"images": [pool.cases[index]["case_id"] for index in chosen]}
            cached["cases"] = score_bundle(_with_weights(pool.bundle, step_folder), report_cases)
            write_cached(step_folder / "step.json", settings, cached)
        chosen = [pool_indices[name] for name in cached["images"]]
        bundle = _with_weights(pool.bundle, step_folder)
        scores.append(cached["cases"])
    return scores


def fine_tuning_config(root: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config by which MONAI Label trains on corrections.

    It is the bundle's ``train.json`` with ``fine_tune.json`` and overrides.
    """
    parser = ConfigParser()
    parser.read_config([str(root / "configs" / f"{name}.json") for name in ("train", "fine_tune")])
    parser.update(dict(overrides))
    config: dict[str, Any] = parser.get()
    return config


def _fine_tune(pool: Pool, chosen: Sequence[int], run: AnnotatorRun, *, folder: Path) -> None:
    """Fine-tune the released weights and write model.pt.

    Training uses the masks of the chosen images, and others without a mask.
    """
    chosen_set = set(chosen)
    unlabeled = [{"image": case["image"]} for index, case in enumerate(pool.cases) if index not in chosen_set]
    order = np.random.default_rng(run.seed).permutation(len(unlabeled))
    parser = ConfigParser(fine_tuning_config(pool.root, run.overrides))
    parser.update(
        {
            "bundle_root": str(pool.root),
            "output_dir": str(folder),
            "ckpt_dir": str(folder),
            "device": str(pool.bundle.device),
            "seed": run.seed,
            "train#dataset#data": [{name: pool.cases[index][name] for name in ("image", "label")} for index in chosen],
            "train#unlabeled#data": [unlabeled[int(index)] for index in order[: parser["unlabeled_images"]]],
        }
    )
    set_determinism(seed=run.seed)  # before the network is built, which "initialize" seeds too late
    parser.get_parsed_content("initialize")
    parser.get_parsed_content("run")


def _with_weights(bundle: Bundle, folder: Path) -> Bundle:
    network = copy.deepcopy(bundle.network)
    weights = read_tensors(folder / "model.pt", bundle.device)
    network.load_state_dict(weights)
    return replace(bundle, network=network)


def score_bundle(bundle: Bundle, report_cases: ReportCases) -> list[Entry]:
    """Return the Dice of the masks of ``s3net segment`` on the images' own grids."""
    entries = []
    samples = progress_bar(report_cases.samples, description="scores", unit="case")
    for case, sample in zip(report_cases.cases, samples, strict=True):
        mask = infer_sample(dict(sample), bundle).mask > 0
        total = int(mask.sum()) + int(case.truth.sum())
        dice = 2.0 * int((mask & case.truth).sum()) / total if total else 1.0
        entries.append({"case_id": case.case_id, "split": case.split, "dice": dice})
    return entries
