"""``s3net evaluate``: score a folder of masks against a folder of labels."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from s3net_monai.data.label_names import SUPERPIXELS, label_names
from s3net_monai.evaluation.masks import MaskPair, on_one_grid
from s3net_monai.evaluation.metrics import label_metrics
from s3net_monai.file_formats import DICOM_SUFFIXES, MASK_ENDING, PREVIEW_SUFFIX
from s3net_monai.io.label_maps.read_label import LABEL_SUFFIXES, SEGMENT_SUFFIXES, read_label
from s3net_monai.io.label_maps.segments import is_dicom_seg
from s3net_monai.utils.messages import visible
from s3net_monai.utils.printing import progress_bar
from s3net_monai.utils.reasons import error_lines

_SUFFIXES = sorted(LABEL_SUFFIXES, key=len, reverse=True)  # of a.seg.nrrd ".seg.nrrd", not ".nrrd"
METRICS = ("dice", "iou", "hd95", "surface_distance")


@dataclass(kw_only=True)
class CaseScore:
    """The scores of one prediction against its label.

    Attributes:
        case_id: name of the case.
        unit: of ``hd95`` and ``surface_distance``, "mm" or "px".
        dice: mean over the label values, as all other metrics.
        iou: intersection over union.
        hd95: 95th percentile Hausdorff distance.
        surface_distance: mean symmetric surface distance.
        labels: every metric by label value.
    """

    case_id: str
    unit: str
    dice: float | None
    iou: float | None
    hd95: float | None
    surface_distance: float | None
    labels: dict[str, dict[str, float | None]]


@dataclass
class Evaluation:
    """The scores of all cases, and the cases that could not be scored.

    Attributes:
        cases: the scores.
        without_label: names of predictions without a label.
        without_prediction: names of labels without a prediction.
        failed: reason by name of pairs that could not be compared.
        warnings: what to know about the scores of a pair, by name: values in one of the two files alone, and labels
            that state no position.
    """

    cases: list[CaseScore] = field(default_factory=list)
    without_label: list[str] = field(default_factory=list)
    without_prediction: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, list[str]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every prediction has a label, every label a prediction, and every pair a score."""
        return not (self.without_label or self.without_prediction or self.failed)

    def as_dict(self) -> dict[str, Any]:
        """Return the evaluation in the form of its JSON file."""
        return {
            "schema_version": 1,
            "cases": [asdict(case) for case in self.cases],
            "without_label": self.without_label,
            "without_prediction": self.without_prediction,
            "failed": self.failed,
            "warnings": self.warnings,
            "summary": self.summary(),
        }

    def summary(self) -> dict[str, Any]:
        """Return counts; mean, median and number of cases per metric; the fraction of cases below a Dice of 0.5."""
        result: dict[str, Any] = {
            "count": len(self.cases),
            "missing": len(self.without_label) + len(self.without_prediction),
            "failed": len(self.failed),
        }
        for metric in METRICS:
            values = [value for case in self.cases if (value := getattr(case, metric)) is not None]
            result[metric] = {
                "mean": statistics.fmean(values) if values else None,
                "median": statistics.median(values) if values else None,
                "count": len(values),
            }
        dice = [case.dice for case in self.cases if case.dice is not None]
        result["share_below_0.5"] = sum(value < 0.5 for value in dice) / len(dice) if dice else None
        return result


def evaluate(predictions: str | Path, labels: str | Path) -> Evaluation:
    """Score every ``<case>_seg.<ext>`` in a folder of predictions against its label.

    A label belongs to a case by the rule of ``data.label_names``: its name is ``<case>``, or adds ``_segmentation``,
    ``_mask``, ``_gt`` or another ending to it, in capitals or not; the endings ``_ct``, ``_image`` and ``_img`` of a
    case may be missing in the label (``id003_ct_seg.nii.gz`` is scored against ``id003_lung.nii.gz``).

    Labels are read by ``io.label_maps`` and brought to the grid of the mask by their affine; both must have the same
    grid, but DICOM SEG and ``.seg.nrrd`` may be cropped. If a mask exists in one of these formats and in another one,
    the other one is read. Where all masks hold one value and all labels another one, both are the foreground.

    Args:
        predictions: folder of the masks to score.
        labels: folder of the ground truth.

    Raises:
        ValueError: when a folder is missing, contains no mask, or names are ambiguous.
    """
    prediction_paths = _masks_by_name(Path(predictions), "predictions", required_ending=MASK_ENDING)
    label_paths = _masks_by_name(Path(labels), "labels")
    evaluation = Evaluation()
    names = {name.lower(): name for name in label_paths}
    used: set[str] = set()
    pair_paths: dict[str, tuple[Path, Path]] = {}
    found_values: list[tuple[set[int], set[int]]] = []
    undecided: list[str] = []
    for case_id, path in progress_bar(prediction_paths.items(), description="evaluate", unit="case"):
        label_name = next((names[name] for name in label_names(case_id) if name in names), None)
        if label_name is None:
            evaluation.without_label.append(case_id)
            continue
        used |= {label_name, case_id}  # a file with the case's own name beside its label is the image
        pair_paths[case_id] = path, label_paths[label_name]
        try:
            pair = _read_pair(*pair_paths[case_id])
        except (ValueError, MemoryError) as error:
            evaluation.failed[case_id] = "; ".join(error_lines(error))
            continue
        values = _values(pair.prediction), _values(pair.truth)
        found_values.append(values)
        if all(len(found) == 1 for found in values) and values[0] != values[1]:
            undecided.append(case_id)  # and read again, since all of them may not fit into memory
        else:
            _add_score(evaluation, case_id, pair)
    binary = all(len(set().union(*found)) == 1 for found in zip(*found_values, strict=True))
    for case_id in undecided:
        pair = _read_pair(*pair_paths[case_id])
        _add_score(evaluation, case_id, _as_foreground(pair) if binary else pair)
    _note_shared_labels(evaluation, pair_paths)
    order = {case_id: number for number, case_id in enumerate(prediction_paths)}
    evaluation.cases.sort(key=lambda case: order[case.case_id])
    evaluation.without_prediction = [name for name in label_paths if name not in used]
    return evaluation


def _note_shared_labels(evaluation: Evaluation, pair_paths: Mapping[str, tuple[Path, Path]]) -> None:
    """Say of cases that are scored against the same label which others are: names may match by accident."""
    for case_id, (_, label) in pair_paths.items():
        others = [other for other, (_, path) in pair_paths.items() if path == label and other != case_id]
        if others:
            evaluation.warnings.setdefault(case_id, []).append(f"has the label {label.name} in common with {others[0]}")


def _read_pair(prediction: Path, label: Path) -> MaskPair:
    return on_one_grid(read_label(prediction), read_label(label))


def _add_score(evaluation: Evaluation, case_id: str, pair: MaskPair) -> None:
    by_label = label_metrics(pair.prediction, pair.truth, pair.spacing)
    means = {metric: _mean_of([scores[metric] for scores in by_label.values()]) for metric in METRICS}
    evaluation.cases.append(CaseScore(case_id=case_id, unit=pair.unit, **means, labels=by_label))
    notes = list(pair.notes)
    prediction, truth = _values(pair.prediction), _values(pair.truth)
    for name, values in (("mask", prediction - truth), ("label", truth - prediction)):
        if values and prediction and truth:
            notes.append(f"values in the {name} alone: {', '.join(str(value) for value in sorted(values))}")
    if notes:
        evaluation.warnings[case_id] = notes


def _values(mask: np.ndarray) -> set[int]:
    return {int(value) for value in np.unique(mask)} - {0}


def _as_foreground(pair: MaskPair) -> MaskPair:
    """The pair with its single values taken as the same class."""
    note = f"the values {pair.prediction.max()} of the mask and {pair.truth.max()} of the label are the foreground"
    prediction, truth = ((mask > 0).astype(np.uint8) for mask in (pair.prediction, pair.truth))
    return replace(pair, prediction=prediction, truth=truth, notes=(*pair.notes, note))


def _mean_of(values: Sequence[float | None]) -> float | None:
    """The mean, or None if any value is missing."""
    defined = [value for value in values if value is not None]
    return statistics.fmean(defined) if len(defined) == len(values) else None


def _masks_by_name(folder: Path, role: str, required_ending: str = "") -> dict[str, Path]:
    """Masks of a folder by name without suffix and without ``required_ending``; other files are skipped."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder of {role}; check the path")
    masks: dict[str, Path] = {}
    paths_and_suffixes = [
        (path, next((s for s in _SUFFIXES if path.name.lower().endswith(s)), "")) for path in folder.iterdir()
    ]
    # DICOM SEG and .seg.nrrd last, so that another format of the same mask takes precedence.
    for path, suffix in sorted(paths_and_suffixes, key=lambda item: (item[1] in SEGMENT_SUFFIXES, item)):
        name = path.name[: -len(suffix)] if suffix else ""
        if not name or name.startswith(".") or not name.lower().endswith(required_ending):
            continue
        if not required_ending and (name.lower().endswith(SUPERPIXELS) or path.name.endswith(PREVIEW_SUFFIX)):
            continue
        name = name[: len(name) - len(required_ending)]
        if suffix in SEGMENT_SUFFIXES and (
            name in masks or (suffix.endswith(DICOM_SUFFIXES) and not is_dicom_seg(path))
        ):
            continue
        if name in masks:
            raise ValueError(f"{path}: a second mask for {name}, beside {masks[name].name}; keep one of the {role}")
        masks[name] = path
    if not masks:
        raise ValueError(
            f"{folder}: no {role} found; expected *{required_ending} with one of {', '.join(LABEL_SUFFIXES)}"
        )
    return masks


def format_table(evaluation: Evaluation) -> str:
    """Format the scores: one row per case; mean, median and fraction below 0.5; cases that could not be scored."""
    summary = evaluation.summary()
    names = [visible(case.case_id) for case in evaluation.cases]
    width = max([len(name) for name in names] + [6])
    lines = [f"{'case':<{width}}" + "".join(f"{metric:>18}" for metric in METRICS)]
    for name, case in zip(names, evaluation.cases, strict=True):
        lines.append(f"{name:<{width}}" + "".join(_cell(getattr(case, metric)) for metric in METRICS))
    for row in ("mean", "median"):
        lines.append(f"{row:<{width}}" + "".join(_cell(summary[metric][row]) for metric in METRICS))
    fraction = summary["share_below_0.5"]
    counted = f"{summary['count']} case{'' if summary['count'] == 1 else 's'}"
    lines.append(f"{counted}, fraction below Dice 0.5: " + ("-" if fraction is None else f"{fraction:.3f}"))
    for metric in METRICS:
        if (count := summary[metric]["count"]) < summary["count"]:
            lines.append(f"{metric}: mean and median of {count} of {summary['count']} cases; the others have no value")
    lines += [f"no label for {name}" for name in evaluation.without_label]
    lines += [f"no prediction for {name}" for name in evaluation.without_prediction]
    lines += [f"not comparable: {name}: {reason}" for name, reason in evaluation.failed.items()]
    lines += [f"note on {name}: {note}" for name, notes in evaluation.warnings.items() for note in notes]
    return "\n".join(visible(line) for line in lines)


def _cell(value: float | None) -> str:
    return f"{'-':>18}" if value is None else f"{value:>18.4f}"
