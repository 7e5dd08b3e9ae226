"""``s3net evaluate``: score a folder of masks against a folder of labels."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from s3net_monai.evaluation.masks import MASK_SUFFIXES, SEGMENT_SUFFIXES, check_same_grid, read_mask, to_common_grid
from s3net_monai.evaluation.metrics import label_metrics
from s3net_monai.evaluation.segment_masks import is_dicom_seg

PREDICTION_ENDING = "_seg"
LABEL_ENDINGS = ("_seg", "_segmentation", "_lung", "_lesion", "_label", "_labels", "_mask", "_gt")
IMAGE_ENDINGS = ("_ct", "_image", "_img")
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
    """

    cases: list[CaseScore] = field(default_factory=list)
    without_label: list[str] = field(default_factory=list)
    without_prediction: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

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

    A label belongs to a case if its name is ``<case>`` followed by ``_seg``, ``_segmentation``, ``_lung``,
    ``_lesion``, ``_label``, ``_labels``, ``_mask`` or ``_gt``, or, if there is none, ``<case>`` itself. The endings
    ``_ct``, ``_image`` and ``_img`` of a case may be missing in the label (``id003_ct_seg.nii.gz`` is scored against
    ``id003_lung.nii.gz``). Both must have the same grid, but DICOM SEG and ``.seg.nrrd`` may be cropped. If a mask
    exists in one of these formats and in another one, the other one is read.

    Args:
        predictions: folder of the masks to score.
        labels: folder of the ground truth.

    Raises:
        ValueError: when a folder is missing, contains no mask, or names are ambiguous.
    """
    prediction_paths = _masks_by_name(Path(predictions), "predictions", required_ending=PREDICTION_ENDING)
    label_paths = _masks_by_name(Path(labels), "labels")
    evaluation = Evaluation()
    used: set[str] = set()
    for case_id, path in tqdm(prediction_paths.items(), desc="evaluate", unit="case"):
        label_name = _label_name(case_id, label_paths)
        if label_name is None:
            evaluation.without_label.append(case_id)
            continue
        used |= {label_name, case_id}  # a file with the case's own name beside its label is the image
        try:
            evaluation.cases.append(_score(case_id, path, label_paths[label_name]))
        except ValueError as error:
            evaluation.failed[case_id] = str(error)
    evaluation.without_prediction = [name for name in label_paths if name not in used]
    return evaluation


def _score(case_id: str, prediction_path: Path, label_path: Path) -> CaseScore:
    prediction, label = to_common_grid(read_mask(prediction_path), read_mask(label_path))
    check_same_grid(prediction, label)
    by_label = label_metrics(prediction.array, label.array, label.spacing)
    means = {metric: _mean_of([scores[metric] for scores in by_label.values()]) for metric in METRICS}
    return CaseScore(case_id=case_id, unit="px" if label.affine is None else "mm", **means, labels=by_label)


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
        (path, next((s for s in MASK_SUFFIXES if path.name.lower().endswith(s)), "")) for path in folder.iterdir()
    ]
    # DICOM SEG and .seg.nrrd last, so that another format of the same mask takes precedence.
    for path, suffix in sorted(paths_and_suffixes, key=lambda item: (item[1] in SEGMENT_SUFFIXES, item)):
        name = path.name[: -len(suffix)] if suffix else ""
        if not name or name.startswith(".") or not name.lower().endswith(required_ending):
            continue
        name = name[: len(name) - len(required_ending)]
        if suffix in SEGMENT_SUFFIXES and (name in masks or (suffix.endswith(".dcm") and not is_dicom_seg(path))):
            continue
        if name in masks:
            raise ValueError(f"{path}: a second mask for {name}, beside {masks[name].name}; keep one of the {role}")
        masks[name] = path
    if not masks:
        raise ValueError(
            f"{folder}: no {role} found; expected *{required_ending} with one of {', '.join(MASK_SUFFIXES)}"
        )
    return masks


def _label_name(case_id: str, labels: dict[str, Path]) -> str | None:
    stems = [case_id, *(case_id[: -len(end)] for end in IMAGE_ENDINGS if case_id.lower().endswith(end))]
    candidates = [stem + ending for stem in stems for ending in LABEL_ENDINGS] + stems
    exact = next((name for name in candidates if name in labels), None)
    by_lower = {name.lower(): name for name in labels}
    return exact or next((by_lower[name.lower()] for name in candidates if name.lower() in by_lower), None)


def format_table(evaluation: Evaluation) -> str:
    """Format the scores: one row per case; mean, median and fraction below 0.5; cases that could not be scored."""
    summary = evaluation.summary()
    width = max([len(case.case_id) for case in evaluation.cases] + [6])
    lines = [f"{'case':<{width}}" + "".join(f"{metric:>18}" for metric in METRICS)]
    for case in evaluation.cases:
        lines.append(f"{case.case_id:<{width}}" + "".join(_cell(getattr(case, metric)) for metric in METRICS))
    for row in ("mean", "median"):
        lines.append(f"{row:<{width}}" + "".join(_cell(summary[metric][row]) for metric in METRICS))
    fraction = summary["share_below_0.5"]
    lines.append(
        f"{summary['count']} cases, fraction below Dice 0.5: " + ("-" if fraction is None else f"{fraction:.3f}")
    )
    lines += [f"no label for {name}" for name in evaluation.without_label]
    lines += [f"no prediction for {name}" for name in evaluation.without_prediction]
    lines += [f"not comparable: {name}: {reason}" for name, reason in evaluation.failed.items()]
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    return f"{'-':>18}" if value is None else f"{value:>18.4f}"
