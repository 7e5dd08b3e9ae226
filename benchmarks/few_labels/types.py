"""What the parts of the few-label benchmark hand to each other: stages, rows, columns and the study they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PICTURE_IDS = {name: name for name in ("field_of_view", "spatial_size")}  # of training and inference alike


@dataclass(frozen=True)
class Cell:
    """One column of the table with one draw: the labeled patients, None for all, and the seed of draw and training."""

    patients: int | None
    draw: int


@dataclass(frozen=True)
class Stage:
    """One training from the bundle's own configs, ``configs/train.json`` with overlays on it.

    Attributes:
        name: of its folder; stages of one name are one stage, whichever rows have them.
        overlays: names of files in the bundle's configs or in this package's own, without ".json", in order.
        overrides: new values by id, after the overlays.
        times: factor of the iterations, whatever gives them.
        product: file that the training leaves in ``ckpt_dir``, "model.pt" or "encoder.pt".
        labeled: whether the drawn labels matter. A label-free stage runs once, for all columns and draws.
        inputs: by id of the config the stage whose product is given there as a path, or stages for a list of paths.
        least_patients: with fewer labeled patients nobody takes this stage as an input.
        inference: overlays on ``configs/inference.json`` with which the product segments.
        inference_ids: by id of the inference config the id of the training config that gives its value, and with it all
            that the value refers to.
    """

    name: str
    overlays: tuple[str, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    times: int = 1
    product: str = "model.pt"
    labeled: bool = True
    inputs: Mapping[str, Stage | tuple[Stage, ...]] = field(default_factory=dict)
    least_patients: int = 1
    inference: tuple[str, ...] = ()
    inference_ids: Mapping[str, str] = field(default_factory=lambda: {**PICTURE_IDS, "network_def": "network_def"})


@dataclass(frozen=True)
class FewLabelsRow:
    """One method of the table: ``stage`` is its last one, the others are its inputs.

    ``kind`` is "from scratch", "two decoders", "pre-trained", "ablation" or "ours".
    """

    name: str
    kind: str
    stage: Stage


@dataclass(frozen=True)
class Study:
    """One data set of the benchmark.

    Attributes:
        task: as the command line names it.
        bundle: folder of the bundle whose configs train and segment.
        dataset: of ``data_prep``.
        source: folder of the data set below the root of the data.
        columns: labeled patients, None for all.
        structures: by label value.
        unit: what intervals and tests are taken over, "patient" or "slice".
        overrides: of every training, after those of its stage.
        published: Dice by name of a source and by column.
        notes: for the page, one line each.
    """

    task: str
    bundle: str
    dataset: str
    source: str
    columns: tuple[int | None, ...]
    structures: Mapping[int, str]
    unit: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    published: Mapping[str, Mapping[int | None, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where a study runs: the bundle, the folder with the datalist, and the folder for weights and scores."""

    study: Study
    bundle_root: Path
    dataset: Path
    work: Path


def column_name(patients: int | None) -> str:
    """A column as the table, the command line and the JSON name it."""
    return "all" if patients is None else str(patients)
