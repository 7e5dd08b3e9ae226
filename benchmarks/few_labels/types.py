"""Types of the few-label benchmark: stages, rows, columns and the study they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

# Ids that training and inference must have in common.
IMAGE_IDS = {name: name for name in ("field_of_view", "spatial_size")}


@dataclass(frozen=True)
class Cell:
    """One column of the table with one draw of labeled patients.

    Attributes:
        patients: number of labeled patients, None for all.
        draw: seed of the draw and of the training.
    """

    patients: int | None
    draw: int


@dataclass(frozen=True)
class Stage:
    """One training by the bundle's own configs: ``configs/train.json`` with overlays on it.

    Attributes:
        name: name of its folder; stages of one name are one stage, whichever rows have them.
        overlays: names of files in the bundle's configs or in this package's own, without ".json", in order.
        overrides: new values by config id, which follow the overlays.
        iteration_factor: multiplies the iterations that configs and overrides give.
        artifact: file that the training leaves in ``ckpt_dir``, "model.pt" or "encoder.pt".
        labeled: whether the draw of labels matters. A label-free stage runs once for all columns and draws.
        inputs: stages that this one starts from, by the config id that takes the path of their artifact; a tuple of
            stages gives a list of paths.
        min_patients: with fewer labeled patients no other stage takes this one as an input.
        inference: overlays on ``configs/inference.json`` with which the artifact segments.
        inference_ids: config ids of inference whose value comes from the training config, each with the id there. The
            entries that these values refer to come along.
    """

    name: str
    overlays: tuple[str, ...] = ()
    _: KW_ONLY
    overrides: Mapping[str, Any] = field(default_factory=dict)
    iteration_factor: int = 1
    artifact: str = "model.pt"
    labeled: bool = True
    inputs: Mapping[str, Stage | tuple[Stage, ...]] = field(default_factory=dict)
    min_patients: int = 1
    inference: tuple[str, ...] = ()
    inference_ids: Mapping[str, str] = field(default_factory=lambda: {**IMAGE_IDS, "network_def": "network_def"})


@dataclass(frozen=True)
class FewLabelsRow:
    """One method of the table.

    Attributes:
        name: name in the table.
        kind: "from scratch", "two decoders", "pre-trained", "ablation" or "ours".
        stage: the last stage; the others are its inputs.
    """

    name: str
    kind: str
    stage: Stage


@dataclass(frozen=True, kw_only=True)
class Study:
    """One data set of the benchmark.

    Attributes:
        task: name on the command line.
        bundle: folder of the bundle whose configs train and segment.
        dataset: name in ``data_prep``.
        source: folder of the data set below the root of the data.
        columns: numbers of labeled patients, None for all.
        structures: names by label value.
        unit: unit that intervals and tests are taken over, "patient" or "slice".
        overrides: overrides of every training, after those of its stage.
        published: Dice by name of a source and by column.
        notes: one line each for the page.
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


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """What a run of the benchmark works on.

    Attributes:
        study: the data set and its columns.
        bundle_root: folder of the bundle whose configs train.
        dataset: folder with the datalist.
        work: folder for weights and scores.
    """

    study: Study
    bundle_root: Path
    dataset: Path
    work: Path


def column_name(patients: int | None) -> str:
    """Return the name of a column in the table, on the command line and in the JSON."""
    return "all" if patients is None else str(patients)
