"""Coarse masks for training: what a model says of images whose labels it never saw."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from s3net_monai.data.patient_folds import patient_folds
from s3net_monai.engines.pretrained import load_network
from s3net_monai.utils.errors import DataError

Samples = list[dict[str, Any]]
_BATCH = 16


@torch.no_grad()
def add_coarse_masks(
    samples: Sequence[dict[str, Any]], network: nn.Module, key: str = "coarse", image_key: str = "image"
) -> Samples:
    """Samples with the classes that a network gives their voxels, (1, X, Y[, Z]) uint8 under ``key``, in their order.

    One pass over images that are in memory, such as ``extract_slices`` gives; of any size, neighbors of one size together.
    The network must not have been trained on labels of these images: masks of images that it knows are better than
    those it makes of a new patient, and what is trained on them trusts masks too much.
    """
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    found: Samples = []
    for _, group in itertools.groupby(samples, key=lambda sample: tuple(sample[image_key].shape)):
        alike = list(group)
        for start in range(0, len(alike), _BATCH):
            part = alike[start : start + _BATCH]
            images = torch.stack([torch.as_tensor(sample[image_key]).as_subclass(Tensor) for sample in part])
            classes = network(images.to(device)).argmax(dim=1, keepdim=True).to("cpu", torch.uint8)
            found += [{**sample, key: mask.clone()} for sample, mask in zip(part, classes, strict=True)]
    network.train(training)
    return found


def add_out_of_fold_masks(
    samples: Sequence[dict[str, Any]],
    network: nn.Module,
    models: Sequence[str | Path],
    key: str = "coarse",
    image_key: str = "image",
    label_key: str = "label",
    patient: str = "[^_]+",
) -> Samples:
    """Labeled samples with masks of the models that were trained without their patient, in their order.

    Model i must have been trained on ``s3net_monai.data.patient_folds.without_fold(cases, i, len(models))`` of the same
    labeled patients; ``configs/fold.json`` does that. One labeled patient leaves no fold: give no models, and the
    exact label takes the mask's place. Jitter it strongly in training.

    Args:
        samples: all labeled samples, with "case_id" as ``extract_slices`` gives it.
        network: of the models' kind; its own weights are neither used nor changed.
        models: one checkpoint for each fold, in order.
        key, image_key: as for ``add_coarse_masks``.
        label_key: key of the labels.
        patient: regular expression of the patient in a "case_id", see ``split_labeled_patients``.

    Raises:
        FileNotFoundError, ValueError: for a checkpoint that is missing or does not fit; see ``load_network``.
        DataError: where the samples' patients do not make that many folds, and for a single path in place of a list,
            whose letters would be taken for models.
    """
    if isinstance(models, str):
        raise DataError(f"coarse_models is {models!r}, expected a list; write \"['fold0/model.pt','fold1/model.pt']\"")
    if not models:
        return [{**sample, key: sample[label_key]} for sample in samples]
    folds = patient_folds([sample["case_id"] for sample in samples], len(models), patient)
    result = list(samples)
    for fold, path in enumerate(models):
        trained = load_network(copy.deepcopy(network), path)
        places = [index for index, sample in enumerate(samples) if folds[sample["case_id"]] == fold]
        masked = add_coarse_masks([samples[index] for index in places], trained, key, image_key)
        for index, sample in zip(places, masked, strict=True):
            result[index] = sample
    return result


def showing(samples: Sequence[dict[str, Any]], classes: Sequence[int], key: str = "coarse") -> Samples:
    """The samples whose map shows at least one of the classes.

    Raises:
        DataError: when none does, as where a coarse model has learned nothing.
    """
    found = [sample for sample in samples if any(bool((sample[key] == value).any()) for value in classes)]
    if not found:
        raise DataError(
            f"none of {len(samples)} samples shows one of the classes {list(classes)} under {key!r}; "
            "train the coarse model for longer, or set other classes"
        )
    return found
