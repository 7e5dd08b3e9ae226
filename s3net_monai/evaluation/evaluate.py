"""``s3net evaluate``: a folder of masks against a folder of labels."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from s3net_monai.evaluation.masks import MASK_SUFFIXES, SEGMENT_SUFFIXES, check_same_grid, on_one_grid, read_mask
from s3net_monai.evaluation.metrics import label_metrics
from s3net_monai.evaluation.segment_masks import is_dicom_seg

PREDICTION_ENDING = "_seg"
LABEL_ENDINGS = ("_seg", "_segmentation", "_lung", "_lesion", "_label", "_labels", "_mask", "_gt")
IMAGE_ENDINGS = ("_ct", "_image", "_img")
METRICS = ("dice", "iou", "hd95", "surface_distance")


@dataclass
class CaseScore:
    """One prediction against its label: the mean over label values of every metric, and the values' own.

    ``unit`` is that of ``hd95`` and ``surface_distance``.
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
    """All scores, and what could not be scored: names without a counterpart, pairs with the reason."""

    cases: list[CaseScore] = field(default_factory=list)
    without_label: list[str] = field(default_factory=list)
    without_prediction: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every prediction met its label and every label its prediction."""
        return not (self.without_label or self.without_prediction or self.failed)

    def as_dict(self) -> dict[str, Any]:
        """The evaluation as JSON has it."""
        return {
            "schema_version": 1,
            "cases": [asdict(case) for case in self.cases],
            "without_label": self.without_label,
            "without_prediction": self.without_prediction,
            "failed": self.failed,
            "summary": self.summary(),
        }

    def summary(self) -> dict[str, Any]:
        """Counts; mean, median and number of cases of each metric; the share of cases below a Dice of 0.5."""
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


def evaluate(predictions: Path, labels: Path) -> Evaluation:
    """Score every ``<case>_seg.<ext>`` in ``predictions`` against its label in ``labels``.

    A label belongs to a case when its name is ``<case>`` with one of ``_seg``, ``_segmentation``, ``_lung``,
    ``_lesion``, ``_label``, ``_labels``, ``_mask``, ``_gt``, or, where there is none, ``<case>`` alone; a case's own
    ending ``_ct``, ``_image`` or ``_img`` may be left out (``id003_ct_seg.nii.gz`` meets ``id003_lung.nii.gz``).
    Grids must be the same; DICOM SEG and ``.seg.nrrd`` may leave out background. Where a run wrote these beside another
    format of the same mask, the other is taken.

    Raises:
        ValueError: when a folder is missing, holds no mask, or names are ambiguous.
    """
    predicted = _masks_by_name(predictions, "predictions", only_ending=PREDICTION_ENDING)
    stored = _masks_by_name(labels, "labels")
    evaluation = Evaluation()
    used: set[str] = set()
    for case_id, path in tqdm(predicted.items(), desc="evaluate", unit="case"):
        label = _label_name(case_id, stored)
        if label is None:
            evaluation.without_label.append(case_id)
            continue
        used |= {label, case_id}  # a file of the case's own name beside a labeled one is its image
        try:
            evaluation.cases.append(_score(case_id, path, stored[label]))
        except ValueError as error:
            evaluation.failed[case_id] = str(error)
    evaluation.without_prediction = [name for name in stored if name not in used]
    return evaluation


def _score(case_id: str, prediction_path: Path, label_path: Path) -> CaseScore:
    prediction, label = on_one_grid(read_mask(prediction_path), read_mask(label_path))
    check_same_grid(prediction, label)
    by_label = label_metrics(prediction.array, label.array, label.spacing)
    means = {metric: _mean_of([scores[metric] for scores in by_label.values()]) for metric in METRICS}
    return CaseScore(case_id, "px" if label.affine is None else "mm", **means, labels=by_label)


def _mean_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def _masks_by_name(folder: Path, role: str, only_ending: str = "") -> dict[str, Path]:
    """Masks of a folder by name without suffix (and without ``only_ending``, which they must then have)."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder of {role}; check the path")
    found: dict[str, Path] = {}
    named = [(path, next((s for s in MASK_SUFFIXES if path.name.lower().endswith(s)), "")) for path in folder.iterdir()]
    # Segmentations last, so that another format of the same mask is known before them.
    for path, suffix in sorted(named, key=lambda item: (item[1] in SEGMENT_SUFFIXES, item)):
        name = path.name[: -len(suffix)] if suffix else ""
        if not name or name.startswith(".") or not name.endswith(only_ending):
            continue
        name = name.removesuffix(only_ending)
        if suffix in SEGMENT_SUFFIXES and (name in found or (suffix.endswith(".dcm") and not is_dicom_seg(path))):
            continue
        if name in found:
            raise ValueError(f"{path}: a second mask for {name}, beside {found[name].name}; keep one of the {role}")
        found[name] = path
    if not found:
        raise ValueError(f"{folder}: no {role} found; expected *{only_ending} with one of {', '.join(MASK_SUFFIXES)}")
    return found


def _label_name(case_id: str, labels: dict[str, Path]) -> str | None:
    stems = [case_id, *(case_id.removesuffix(ending) for ending in IMAGE_ENDINGS if case_id.endswith(ending))]
    candidates = [stem + ending for stem in stems for ending in LABEL_ENDINGS] + stems
    return next((name for name in candidates if name in labels), None)


def format_table(evaluation: Evaluation) -> str:
    """The scores as text: a row a case, then mean, median and the share below 0.5, then what is missing."""
    summary = evaluation.summary()
    width = max([len(case.case_id) for case in evaluation.cases] + [6])
    lines = [f"{'case':<{width}}" + "".join(f"{metric:>18}" for metric in METRICS)]
    for case in evaluation.cases:
        lines.append(f"{case.case_id:<{width}}" + "".join(_cell(getattr(case, metric)) for metric in METRICS))
    for row in ("mean", "median"):
        lines.append(f"{row:<{width}}" + "".join(_cell(summary[metric][row]) for metric in METRICS))
    share = summary["share_below_0.5"]
    lines.append(f"{summary['count']} cases, share below Dice 0.5: " + ("-" if share is None else f"{share:.3f}"))
    lines += [f"no label for {name}" for name in evaluation.without_label]
    lines += [f"no prediction for {name}" for name in evaluation.without_prediction]
    lines += [f"not comparable: {name}: {reason}" for name, reason in evaluation.failed.items()]
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    return f"{'-':>18}" if value is None else f"{value:>18.4f}"
