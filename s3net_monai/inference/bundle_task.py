"""A task as a bundle's own metadata describe it: its classes, input channels and modality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from s3net_monai.labels import TISSUE, Label, distinct_colors
from s3net_monai.tasks import TASKS, Task
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.printing import get_logger

logger = get_logger(__name__)

MAX_CLASSES = 255  # a mask has 8 bits per voxel, and 0 is background
MAX_NAME_LENGTH = 64  # of a segment's label in DICOM, PS3.5 section 6.2 (LO)


def task_of_bundle(task: Task, metadata: Mapping[str, Any], root: Path) -> Task:
    """Return the task with the classes, input channels and modality that the bundle's metadata state.

    A class with the name of a label of the task has that label's codes, color and special measures. Any other class is
    coded as tissue, which is true of organs and lesions alike and what 3D Slicer gives to a new segment, and has a
    color of its own.

    Args:
        task: as registered.
        metadata: content of ``configs/metadata.json``.
        root: folder of the bundle, for messages.

    Raises:
        UsageError: when the metadata lack what is needed or contradict themselves, or belong to another task.
    """
    formats = _mapping(metadata, "network_data_format", root)
    image = _mapping(_mapping(formats, "inputs", root), "image", root)
    pred = _mapping(_mapping(formats, "outputs", root), "pred", root)
    channels = image.get("num_channels")
    if not isinstance(channels, int) or channels < 1:
        raise _unusable(root, f"inputs.image.num_channels is {channels!r}, a number from 1 expected")
    names = _class_names(pred.get("channel_def"), root)
    count = pred.get("num_channels", len(names))
    if count != len(names):
        raise _unusable(root, f"outputs.pred states {count} channels and names {len(names)} in channel_def")
    modality = str(image.get("modality", task.modality))
    _check_match(task, modality, names[1:], root)
    labels = _labels(names[1:], task)
    measures = {label.name: task.special_measures.get(own.name, ()) for label, own in _matches(labels, task)}
    return replace(
        task,
        channels=channels,
        modality=modality,
        labels=labels,
        special_measures={name: special for name, special in measures.items() if special},
    )


def _mapping(parent: Any, key: str, root: Path) -> Mapping[str, Any]:
    value = parent.get(key) if isinstance(parent, Mapping) else None
    if not isinstance(value, Mapping):
        raise _unusable(root, f"no {key!r} in the description of the network's data")
    return value


def _unusable(root: Path, problem: str) -> UsageError:
    return UsageError(f"{root / 'configs' / 'metadata.json'}: {problem}; correct the bundle's metadata")


def _class_names(channel_def: Any, root: Path) -> list[str]:
    """Return the class names in the order of the channels, background first."""
    if not isinstance(channel_def, Mapping) or not channel_def:
        raise _unusable(root, "no channel_def of outputs.pred, which names the classes")
    expected = [str(index) for index in range(len(channel_def))]
    if sorted(map(str, channel_def)) != sorted(expected):
        raise _unusable(root, f"channel_def has the keys {', '.join(map(str, channel_def))}, 0 to N expected")
    by_key = {str(key): name for key, name in channel_def.items()}
    names = [by_key[key].strip() if isinstance(by_key[key], str) else "" for key in expected]
    for key, name in zip(expected, names, strict=True):
        if not 0 < len(name) <= MAX_NAME_LENGTH or not name.isprintable() or "\\" in name:
            raise _unusable(root, f"channel {key} is named {by_key[key]!r}, 1 to {MAX_NAME_LENGTH} characters expected")
    if names[0].casefold() != "background":
        raise _unusable(root, f"channel 0 is named {names[0]!r}, 'background' expected, since masks hold 0 there")
    if len({name.casefold() for name in names}) < len(names):
        raise _unusable(root, f"channel_def names a class twice: {', '.join(names)}")
    if not 2 <= len(names) <= MAX_CLASSES + 1:
        raise _unusable(root, f"{len(names)} channels named, background and 1 to {MAX_CLASSES} classes expected")
    return names


def _check_match(task: Task, modality: str, names: Sequence[str], root: Path) -> None:
    """Refuse the bundle of another task: for images of another kind, or with the classes of that task."""
    folded = {name.casefold() for name in names}
    shares_names = bool(folded & {label.name.casefold() for label in task.labels})
    for other in TASKS.values():
        if other.name == task.name or other.modality.casefold() != modality.casefold():
            continue
        is_of_other_kind = task.modality != other.modality and task.dimensions != other.dimensions
        if is_of_other_kind or (not shares_names and folded <= {label.name.casefold() for label in other.labels}):
            raise UsageError(
                f"{root}: a bundle for {modality} ({', '.join(names)}), task {task.name} is for {task.modality} "
                f"({', '.join(label.name for label in task.labels)}); give --task {other.name} or another --bundle"
            )
    if task.modality.casefold() != modality.casefold():
        logger.warning("%s is for %s, --task %s for %s: look at the previews", root, modality, task.name, task.modality)


def _labels(names: Sequence[str], task: Task) -> tuple[Label, ...]:
    known = {label.name.casefold(): label for label in task.labels}
    own = [known.get(name.casefold()) for name in names]
    taken = [label.rgb for label in own if label is not None]
    colors = iter(distinct_colors(len(names) - len(taken), taken))
    return tuple(
        replace(label, value=value, name=name)
        if label is not None
        else Label(value=value, name=name, rgb=next(colors), category=TISSUE, type=TISSUE)
        for value, (name, label) in enumerate(zip(names, own, strict=True), start=1)
    )


def _matches(labels: Sequence[Label], task: Task) -> list[tuple[Label, Label]]:
    """Return the labels that have the name of a registered one, each with that one."""
    known = {label.name.casefold(): label for label in task.labels}
    return [(label, known[label.name.casefold()]) for label in labels if label.name.casefold() in known]
