"""The last step of a case: masks in every format, a picture of it, and numbers about it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from s3net_monai.inference.bundle import Bundle
from s3net_monai.inference.discovery.find_cases import Case
from s3net_monai.inference.discovery.identifiers import redact
from s3net_monai.inference.report.measures import measure_warnings, measures, spacing_notes
from s3net_monai.inference.report.previews import PREVIEW_SUFFIX, write_preview
from s3net_monai.inference.report.report import CaseReport
from s3net_monai.inference.run.segmenter import Segmentation, Source
from s3net_monai.inference.run.validate_input import failure_reason
from s3net_monai.io import CaseError, Mask, UnsuitedFormatError, write_label_table, write_mask
from s3net_monai.io.labels import LABEL_TABLE_NAME


@dataclass(frozen=True)
class OutputWriter:
    """What the writing of a case needs beside its mask."""

    bundle: Bundle
    output: Path
    formats: tuple[str, ...]
    allow: tuple[str, ...]


def finish(
    entry: CaseReport, case: Case, segmentation: Segmentation, source: Source, finishing: OutputWriter
) -> CaseReport:
    """Write one case and complete its entry; whatever goes wrong becomes the entry's reason."""
    started = time.perf_counter()
    try:
        bundle = finishing.bundle
        mask = Mask(
            array=segmentation.mask,
            affine=segmentation.affine,
            source=case.image,
            labels=bundle.labels,
            model_name=bundle.name,
            model_version=bundle.version,
            allow=finishing.allow,
        )
        hounsfield = source.image if bundle.modality == "CT" else None
        entry.measures = measures(segmentation.mask, segmentation.affine, bundle.labels, hounsfield, source.spacing)
        entry.consistency = segmentation.consistency
        warnings = [*source.notes, segmentation.warning or ""]
        if not segmentation.mask.any():
            warnings.append("the mask is empty")
        warnings += measure_warnings(entry.measures)
        notes = spacing_notes(segmentation.affine) if bundle.modality == "MR" and segmentation.mask.ndim == 3 else []
        _write(mask, case, finishing, entry.outputs, warnings, notes)
        preview = f"{case.case_id}{PREVIEW_SUFFIX}"
        write_preview(source.image, segmentation.mask, bundle.labels, segmentation.affine, finishing.output / preview)
        entry.outputs["preview"] = preview
        entry.warnings = [redact(warning, case.identifiers) for warning in warnings if warning]
        entry.notes = notes
        entry.status, entry.reason = "ok", None
    except Exception as error:  # isolation is the point: no case may end the batch
        for name in entry.outputs.values():
            (finishing.output / name).unlink(missing_ok=True)
        entry.outputs, entry.measures, entry.consistency = {}, {}, None
        entry.status, entry.reason = "failed", failure_reason(error, case)
    entry.seconds["write"] = time.perf_counter() - started
    return entry


def default_formats(mask: Mask) -> tuple[str, ...]:
    """PNG for pictures, NIfTI for volumes."""
    return ("png",) if mask.array.ndim == 2 else ("nifti",)


def _write(
    mask: Mask, case: Case, finishing: OutputWriter, outputs: dict[str, str], warnings: list[str], notes: list[str]
) -> None:
    """Write every format that can hold the mask into ``outputs``, and say of the others why not.

    Raises:
        CaseError: when no format could be written.
    """
    formats: Sequence[str] = finishing.formats or default_formats(mask)
    missed: list[str] = []
    for name in formats:
        try:
            outputs[name] = write_mask(mask, finishing.output, case_id=case.case_id, format_name=name).name
        except CaseError as error:
            missed.append(f"no {name} written: {str(error).removeprefix(f'{name}: ')}")
            (notes if isinstance(error, UnsuitedFormatError) else warnings).append(missed[-1])
    if "nifti" in outputs and not (finishing.output / LABEL_TABLE_NAME).exists():
        write_label_table(finishing.output, mask.labels)
    if not outputs:
        raise CaseError("; ".join(missed))
