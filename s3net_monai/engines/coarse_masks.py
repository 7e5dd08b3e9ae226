"""Coarse masks for training: predictions of a network for images it was not trained on."""

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
_BATCH_SIZE = 16


@torch.no_grad()
def add_coarse_masks(
    samples: Sequence[dict[str, Any]],
    network: nn.Module,
    *,
    key: str = "coarse",
    image_key: str = "image",
    offset: int = 0,
) -> Samples:
    """Return the samples with a network's masks, (1, X, Y[, Z]) uint8, in their order.

    This is one pass over images in memory, such as ``extract_slices`` gives, of any size; neighbors of one size form a
    batch. The network must not have been trained on labels of these images: its masks of training images are better
    than those of a new patient, and a network trained on them relies on masks too much.

    Args:
        samples: with plain tensors (C, X, Y[, Z]) under ``image_key``.
        network: logits (B, classes, X, Y[, Z]) of images; it is left unchanged.
        key: of the masks.
        image_key: of the images.
        offset: added to every class: with 1, clusters from 0 become objects from 1, which leaves 0 to the background.

    Example:
        >>> import torch
        >>> samples = add_coarse_masks([{"image": torch.rand(1, 4, 4)}], torch.nn.Conv2d(1, 3, 1))
        >>> samples[0]["coarse"].shape, samples[0]["coarse"].dtype
        (torch.Size([1, 4, 4]), torch.uint8)
    """
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    masked: Samples = []
    for _, group in itertools.groupby(samples, key=lambda sample: tuple(sample[image_key].shape)):
        same_size = list(group)
        for start in range(0, len(same_size), _BATCH_SIZE):
            batch = same_size[start : start + _BATCH_SIZE]
            images = torch.stack([torch.as_tensor(sample[image_key]).as_subclass(Tensor) for sample in batch])
            masks = network(images.to(device)).argmax(dim=1, keepdim=True).to("cpu", torch.uint8) + offset
            masked += [{**sample, key: mask.clone()} for sample, mask in zip(batch, masks, strict=True)]
    network.train(training)
    return masked


def add_out_of_fold_masks(
    samples: Sequence[dict[str, Any]],
    network: nn.Module,
    models: Sequence[str | Path],
    *,
    key: str = "coarse",
    image_key: str = "image",
    label_key: str = "label",
    patient: str = "[^_]+",
) -> Samples:
    """Return the labeled samples with masks of models trained without their patient.

    The order of the samples is preserved. Model i must have been trained on
    ``s3net_monai.data.patient_folds.without_fold(cases, i, len(models))`` of the same labeled patients;
    ``configs/fold.json`` does that. A single labeled patient cannot be split into folds: give no models, and the exact
    label replaces the mask. Jitter it strongly in training.

    Args:
        samples: all labeled samples, with "case_id" as ``extract_slices`` gives it.
        network: of the models' architecture; its own weights are neither used nor changed.
        models: one checkpoint per fold, in order.
        key: of the masks.
        image_key: of the images.
        label_key: of the labels.
        patient: regular expression of the patient in a "case_id", see ``split_labeled_patients``.

    Raises:
        FileNotFoundError: for a checkpoint that is missing.
        ValueError: for a checkpoint that does not fit; see ``load_network``.
        DataError: where the samples' patients do not make that many folds, and for a single path instead of a list,
            whose letters would be taken for models.

    Example:
        >>> import torch
        >>> samples = [{"case_id": "p01_z0", "image": torch.rand(1, 4, 4), "label": torch.ones(1, 4, 4)}]
        >>> bool(add_out_of_fold_masks(samples, torch.nn.Conv2d(1, 2, 1), models=[])[0]["coarse"].all())
        True
    """
    if isinstance(models, str):
        raise DataError(f"coarse_models is {models!r}, expected a list; write \"['fold0/model.pt','fold1/model.pt']\"")
    if not models:
        return [{**sample, key: sample[label_key]} for sample in samples]
    folds = patient_folds([sample["case_id"] for sample in samples], len(models), patient)
    result = list(samples)
    for fold, path in enumerate(models):
        trained = load_network(copy.deepcopy(network), path)
        indices = [index for index, sample in enumerate(samples) if folds[sample["case_id"]] == fold]
        masked = add_coarse_masks([samples[index] for index in indices], trained, key=key, image_key=image_key)
        for index, sample in zip(indices, masked, strict=True):
            result[index] = sample
    return result


def select_samples_with_classes(
    samples: Sequence[dict[str, Any]], classes: Sequence[int], key: str = "coarse"
) -> Samples:
    """Return the samples whose label map contains at least one of the classes.

    Args:
        samples: with label maps under ``key``.
        classes: values to look for.
        key: of the label maps.

    Raises:
        DataError: when none does, as where a coarse model has learned nothing.

    Example:
        >>> import torch
        >>> samples = [{"coarse": torch.tensor([0, 0])}, {"coarse": torch.tensor([0, 2])}]
        >>> len(select_samples_with_classes(samples, [1, 2]))
        1
    """
    selected = [sample for sample in samples if any(bool((sample[key] == value).any()) for value in classes)]
    if not selected:
        raise DataError(
            f"none of {len(samples)} samples shows one of the classes {list(classes)} under {key!r}; "
            "train the coarse model for longer, or set other classes"
        )
    return selected
