"""Which image MONAI Label hands to the annotator next.

Its interfaces ``Strategy`` and ``ScoringMethod`` are a description, ``info()`` and a call, and it never asks for their
classes; so nothing of it is imported, and these run and are tested where it is not installed. An app gives them by::

    def init_scoring_methods(self):
        return {"consistency": ConsistencyScoring(path_of_the_bundle)}

    def init_strategies(self):
        return {"consistency": ConsistencyStrategy(path_of_the_bundle), "random": Random(), "first": First()}
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from s3net_monai.active_learning import FIRST_ROUND, Measured, measure_case, next_images

logger = logging.getLogger(__name__)

MAX_MEASURED_IMAGES = 50  # images that a call of the scoring measures: each of a DICOMweb archive is fetched for it
SERVED_FOR = 3600.0  # seconds in which an image that was handed out is not handed out again
_DIGITS = 4


class Datastore(Protocol):
    """What is used here of ``monailabel.interfaces.datastore.Datastore``."""

    def list_images(self) -> list[str]: ...

    def get_labeled_images(self) -> list[str]: ...

    def get_unlabeled_images(self) -> list[str]: ...

    def get_image_uri(self, image_id: str) -> str: ...

    def get_image_info(self, image_id: str) -> dict[str, Any]: ...

    def update_image_info(self, image_id: str, info: dict[str, Any]) -> None: ...


class ConsistencyScoring:
    """Measure all images with a bundle's present weights: consistency of the mask, and features of the image.

    The datastore keeps what was found beside each image, with the date of the weights, so that a restarted server, or
    the process of its own in which MONAI Label scores, goes on where another stopped; other weights measure anew.

    Args:
        bundle: folder of the bundle, under the name that it has in this package.
        device: "auto", "cpu", "cuda" or "cuda:N".
    """

    def __init__(self, bundle: str | Path, device: str = "auto") -> None:
        self.bundle, self.device = Path(bundle), device
        self.description = f"Consistency of the masks of transformed copies: {self.bundle.name}"
        self.key = f"s3net_consistency_{self.bundle.name}"  # a server may serve several bundles over one datastore

    def info(self) -> dict[str, str]:
        return {"description": self.description}

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Measure what is not measured yet, ``request["max_samples"]`` images or ``MAX_MEASURED_IMAGES``; count them."""
        started = time.time()
        images = datastore.list_images()
        missing = [image for image in images if not self.is_tried(datastore.get_image_info(image))]
        todo = missing[: int(request.get("max_samples") or MAX_MEASURED_IMAGES)]
        self.measure(todo, datastore)
        executed = {"executed": len(todo), "skipped": len(images) - len(missing)}
        return {"total": len(images), **executed, "latency": round(time.time() - started, 3)}

    def measured(self, info: dict[str, Any]) -> Measured | None:
        """What the present weights found of an image; None where they have not seen it, or it could not be read."""
        found = info.get(self.key, {})
        if not self.is_tried(info) or found["consistency"] is None:
            return None
        return Measured(np.asarray(found["features"], dtype=np.float32), found["consistency"])

    def is_tried(self, info: dict[str, Any]) -> bool:
        """Whether the present weights have been given an image, be it in vain."""
        return bool(info.get(self.key, {}).get("weights") == self.date_of_weights())

    def measure(self, images: Sequence[str], datastore: Datastore) -> None:
        """Measure images and keep what was found; one that cannot be had gets no score and stops nothing."""
        if not images:
            return
        from s3net_monai.inference.bundle import load_bundle
        from s3net_monai.inference.device import parse_device
        from s3net_monai.inference.discovery.find_cases import find_cases
        from s3net_monai.io import CaseError

        date = self.date_of_weights()
        bundle = load_bundle(_task_of(self.bundle), self.bundle, parse_device(self.device))
        for image in images:
            entry: dict[str, Any] = {"weights": date, "consistency": None, "features": []}
            try:
                cases = find_cases([Path(datastore.get_image_uri(image))]).cases
                if len(cases) != 1:
                    raise CaseError(f"{len(cases)} images found, expected one")
                found = measure_case(cases[0], bundle)
                features = [float(f"{value:.{_DIGITS}g}") for value in found.features]
                entry |= {"consistency": found.consistency, "features": features}
            except CaseError as error:
                logger.warning("not scored: %s", error)
            except Exception as error:  # from a store's network, or a reader of files that are no images
                # by its number: in a DICOMweb store an image's name is a UID of the patient's study
                number = datastore.list_images().index(image)
                logger.warning("image %d of the list is not scored: %s", number, type(error).__name__)
            datastore.update_image_info(image, {self.key: entry})

    def date_of_weights(self) -> int:
        return int((self.bundle / "models" / "model.pt").stat().st_mtime)


class ConsistencyStrategy:
    """Hand out the image whose label is expected to teach most; see ``active_learning.next_images``.

    First ten images that cover all others; then those with the least consistent masks. An image that was handed out is
    not handed out again for an hour, as somebody is at it.

    Args:
        bundle: see ``ConsistencyScoring``.
        device: see ``ConsistencyScoring``.
        at_once: where fewer images than this are scored, a call scores so many itself, and the annotator waits.
    """

    def __init__(self, bundle: str | Path, device: str = "auto", at_once: int = 8) -> None:
        self.scoring, self.at_once = ConsistencyScoring(bundle, device), at_once
        self.description = f"First images that cover all others, then the least consistent: {self.scoring.bundle.name}"

    def info(self) -> dict[str, str]:
        return {"description": self.description}

    def __call__(self, request: dict[str, Any], datastore: Datastore) -> dict[str, Any] | None:
        """ "id" and "consistency" of the next image; None where every image has a label."""
        unlabeled = datastore.get_unlabeled_images()
        if not unlabeled:
            return None
        served = [each for each in unlabeled if self._is_served(each, request, datastore)]
        free = [each for each in unlabeled if each not in served] or unlabeled
        self._score_some(free, datastore)
        taken = [each for each in (*datastore.get_labeled_images(), *served) if each not in free]
        known = {each: found for each in (*free, *taken) if (found := self._found(each, datastore)) is not None}
        names = list(known)
        if not any(each in known for each in free):  # none of them can be read: the annotator must see that
            return {"id": free[0]}
        seen = [names.index(each) for each in taken if each in known]
        (index,) = next_images(
            np.stack([known[each].features for each in names]),
            [known[each].consistency for each in names],
            seen,
            first_round=FIRST_ROUND - (len(taken) - len(seen)),  # labels count also where their images are not measured
        )
        return {"id": names[index], "consistency": known[names[index]].consistency}

    def _score_some(self, images: Sequence[str], datastore: Datastore) -> None:
        missing = [each for each in images if not self.scoring.is_tried(datastore.get_image_info(each))]
        least = min(self.at_once, len(images))
        self.scoring.measure(missing[: max(0, least - (len(images) - len(missing)))], datastore)

    def _found(self, image: str, datastore: Datastore) -> Measured | None:
        return self.scoring.measured(datastore.get_image_info(image))

    @staticmethod
    def _is_served(image: str, request: dict[str, Any], datastore: Datastore) -> bool:
        served = datastore.get_image_info(image).get("strategy", {}).get(request.get("strategy"), {})
        return time.time() - float(served.get("ts", 0)) < SERVED_FOR


def _task_of(bundle: Path) -> str:
    from s3net_monai.tasks import TASKS

    found = [task.name for task in TASKS.values() if bundle.name.startswith(task.bundle)]
    if not found:
        raise ValueError(
            f"{bundle.name}: not a bundle of this package; expected {', '.join(task.bundle for task in TASKS.values())}"
        )
    return found[0]
