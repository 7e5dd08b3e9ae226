"""Scoring of images and selection of the next image to annotate in MONAI Label.

MONAI Label's interfaces ``Strategy`` and ``ScoringMethod`` consist of a description, ``info()`` and a call, and it
never checks for their classes. So nothing of it is imported here, and this module runs and is tested without it. An
app registers the classes as follows::

    def init_scoring_methods(self):
        return {"consistency": ConsistencyScoring(path_of_the_bundle)}

    def init_strategies(self):
        return {"consistency": ConsistencyStrategy(path_of_the_bundle), "random": Random(), "first": First()}
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from s3net_monai.active_learning import FIRST_ROUND, CandidateScore, score_candidate, select_images
from s3net_monai.utils.printing import get_logger
from s3net_monai.utils.reasons import NO_MEMORY, is_out_of_memory

logger = get_logger(__name__)

MAX_SCORED_IMAGES = 50  # images scored per call: each image of a DICOMweb archive must be fetched for that
RESERVATION_SECONDS = 3600.0  # an image that was handed out is not handed out again within this time
_SIGNIFICANT_DIGITS = 4


class Datastore(Protocol):
    """The methods of ``monailabel.interfaces.datastore.Datastore`` that are used here."""

    def list_images(self) -> list[str]:
        """Return the ids of all images."""

    def get_labeled_images(self) -> list[str]:
        """Return the ids of images with a final label."""

    def get_unlabeled_images(self) -> list[str]:
        """Return the ids of images without a final label."""

    def get_image_uri(self, image_id: str) -> str:
        """Return the path of an image, after fetching it if necessary."""

    def get_image_info(self, image_id: str) -> dict[str, Any]:
        """Return the metadata of an image."""

    def update_image_info(self, image_id: str, info: dict[str, Any]) -> None:
        """Add to the metadata of an image."""


class ConsistencyScoring:
    """Score all images with a bundle's current weights: consistency of the mask, and features of the image.

    The datastore keeps the scores in each image's metadata, with the modification time of the weights. A restarted
    server, or the separate process in which MONAI Label scores, therefore continues where another stopped; after a
    training, images are scored again.

    Args:
        bundle: folder of the bundle, under the name that it has in this package.
        device: "auto", "cpu", "cuda" or "cuda:N".
    """

    def __init__(self, bundle: str | Path, device: str = "auto") -> None:
        self.bundle, self.device = Path(bundle), device
        self.description = f"Consistency of the masks of transformed copies: {self.bundle.name}"
        self.key = f"s3net_consistency_{self.bundle.name}"  # a server may serve several bundles over one datastore

    def info(self) -> dict[str, str]:
        """Return the description that MONAI Label shows."""
        return {"description": self.description}

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Score images without a score, up to ``request["max_samples"]`` or ``MAX_SCORED_IMAGES``, and count them."""
        started = time.time()
        images = datastore.list_images()
        unscored = [image for image in images if not self.is_attempted(datastore.get_image_info(image))]
        to_score = unscored[: int(request.get("max_samples") or MAX_SCORED_IMAGES)]
        self.score_images(to_score, datastore)
        return {
            "total": len(images),
            "executed": len(to_score),
            "skipped": len(images) - len(unscored),
            "latency": round(time.time() - started, 3),
        }

    def stored_score(self, info: dict[str, Any]) -> CandidateScore | None:
        """Return an image's score by the current weights from its metadata, or None if there is none.

        There is none before scoring, and for an image that could not be read.
        """
        entry = info.get(self.key, {})
        if not self.is_attempted(info) or entry["consistency"] is None:
            return None
        return CandidateScore(np.asarray(entry["features"], dtype=np.float32), entry["consistency"])

    def is_attempted(self, info: dict[str, Any]) -> bool:
        """Return whether scoring an image with the current weights was attempted, successfully or not."""
        return bool(info.get(self.key, {}).get("weights") == self.weights_time())

    def score_images(self, images: Sequence[str], datastore: Datastore) -> None:
        """Score images and store the scores; an image that cannot be read gets no score, and the others continue."""
        if not images:
            return
        from s3net_monai.inference.bundle import load_bundle
        from s3net_monai.inference.device import parse_device
        from s3net_monai.inference.discovery.find_cases import find_cases
        from s3net_monai.io import CaseError

        weights_time = self.weights_time()
        bundle = load_bundle(_task_of(self.bundle), self.bundle, parse_device(self.device))
        for image in images:
            entry: dict[str, Any] = {"weights": weights_time, "consistency": None, "features": []}
            try:
                cases = find_cases([Path(datastore.get_image_uri(image))], modality=bundle.task.modality).cases
                if len(cases) != 1:
                    raise CaseError(f"{len(cases)} images found, expected one")
                score = score_candidate(cases[0], bundle)
                features = [float(f"{value:.{_SIGNIFICANT_DIGITS}g}") for value in score.features]
                entry |= {"consistency": score.consistency, "features": features}
            except CaseError as error:
                logger.warning("not scored: %s", error)
            except Exception as error:  # from a datastore's network, or from the reader of a file that is no image
                # The message gives its index, since in a DICOMweb datastore an image's name is a UID.
                index = datastore.list_images().index(image)
                reason = NO_MEMORY if is_out_of_memory(error) else "it cannot be fetched or read; look at it by hand"
                logger.warning("image %d of the list is not scored: %s", index, reason)
            datastore.update_image_info(image, {self.key: entry})

    def weights_time(self) -> int:
        """Return the modification time of the bundle's weights, in seconds since 1970."""
        return int((self.bundle / "models" / "model.pt").stat().st_mtime)


class ConsistencyStrategy:
    """Hand out the image whose label is expected to improve the model most (``active_learning.select_images``).

    The first ten images are medoids of all images; after that, images with the least consistent masks follow. An image
    that was handed out is reserved for an hour, since an annotator is working on it.

    Args:
        bundle: see ``ConsistencyScoring``.
        device: see ``ConsistencyScoring``.
        min_scored: number of images to score within the call if fewer have scores; the annotator waits for it.
    """

    def __init__(self, bundle: str | Path, device: str = "auto", min_scored: int = 8) -> None:
        self.scoring, self.min_scored = ConsistencyScoring(bundle, device), min_scored
        self.description = f"First images that cover all others, then the least consistent: {self.scoring.bundle.name}"

    def info(self) -> dict[str, str]:
        """Return the description that MONAI Label shows."""
        return {"description": self.description}

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any] | None:
        """Return "id" and "consistency" of the next image, or None if every image has a label."""
        unlabeled = datastore.get_unlabeled_images()
        if not unlabeled:
            return None
        reserved = [image for image in unlabeled if self._is_reserved(image, request, datastore)]
        available = [image for image in unlabeled if image not in reserved] or unlabeled
        self._score_some(available, datastore)
        selected = [image for image in (*datastore.get_labeled_images(), *reserved) if image not in available]
        scores: dict[str, CandidateScore] = {}
        for image in (*available, *selected):
            score = self.scoring.stored_score(datastore.get_image_info(image))
            if score is not None:
                scores[image] = score
        if not any(image in scores for image in available):  # none can be read, which the annotator must notice
            return {"id": available[0]}
        names = list(scores)
        selected_indices = [names.index(image) for image in selected if image in scores]
        unscored_count = len(selected) - len(selected_indices)  # labels count even if their images have no score
        (index,) = select_images(
            np.stack([scores[image].features for image in names]),
            [scores[image].consistency for image in names],
            selected=selected_indices,
            first_round=FIRST_ROUND - unscored_count,
        )
        return {"id": names[index], "consistency": scores[names[index]].consistency}

    def _score_some(self, images: Sequence[str], datastore: Datastore) -> None:
        """Score as many of ``images`` as are missing to ``min_scored``."""
        unscored = [image for image in images if not self.scoring.is_attempted(datastore.get_image_info(image))]
        target = min(self.min_scored, len(images))
        scored_count = len(images) - len(unscored)
        self.scoring.score_images(unscored[: max(0, target - scored_count)], datastore)

    @staticmethod
    def _is_reserved(image: str, request: dict[str, Any], datastore: Datastore) -> bool:
        entry = datastore.get_image_info(image).get("strategy", {}).get(request.get("strategy"), {})
        return time.time() - float(entry.get("ts", 0)) < RESERVATION_SECONDS


def _task_of(bundle: Path) -> str:
    from s3net_monai.tasks import TASKS

    tasks = [task.name for task in TASKS.values() if bundle.name.startswith(task.bundle)]
    if not tasks:
        bundles = ", ".join(task.bundle for task in TASKS.values())
        raise ValueError(f"{bundle.name}: not a bundle of this package; expected {bundles}")
    return tasks[0]
