"""The last step of a case: its masks in every format, its preview and its measures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from s3net_monai.file_formats import PREVIEW_SUFFIX
from s3net_monai.inference.bundle import Bundle
from s3net_monai.inference.discovery.find_cases import Case
from s3net_monai.inference.report.measures import measures
from s3net_monai.inference.report.previews import write_preview
from s3net_monai.inference.report.report import CaseReport
from s3net_monai.inference.run.earlier_run import file_record
from s3net_monai.inference.run.fingerprint import FileStates, change_of_input, fingerprint
from s3net_monai.inference.run.remarks import case_remarks
from s3net_monai.inference.run.segmenter import Segmentation, SourceImage
from s3net_monai.inference.run.storage import output_storage_error
from s3net_monai.inference.run.validate_input import failure_reason
from s3net_monai.io import FORMATS, CaseError, Mask, UnsuitedFormatError, write_label_table, write_mask


def default_formats(mask: Mask) -> tuple[str, ...]:
    """Return the formats of a run that names none: PNG for 2-D images, NIfTI for volumes."""
    return ("png",) if mask.array.ndim == 2 else ("nifti",)


@dataclass(frozen=True, kw_only=True)
class OutputWriter:
    """Writer of everything that a run leaves for a case.

    Attributes:
        bundle: the bundle that made the masks.
        output: folder to write to.
        formats: names of the formats; none means ``default_formats``.
        allow: irregular series that were repaired when they were read.
    """

    bundle: Bundle
    output: Path
    formats: tuple[str, ...]
    allow: tuple[str, ...]

    def write_case(
        self,
        entry: CaseReport,
        case: Case,
        *,
        segmentation: Segmentation,
        source: SourceImage,
        file_states: FileStates,
    ) -> CaseReport:
        """Write one case and complete its entry; whatever goes wrong becomes the reason of the entry.

        Raises:
            StorageError: when no other case could be written either.
        """
        started = time.perf_counter()
        try:
            self._write_outputs(entry, case, segmentation, source)
            change = change_of_input(case, file_states)  # whose header the masks have
            if change is not None and not change.removed:
                raise CaseError(change.reason)
            entry.status, entry.reason = "ok", None
        except Exception as error:  # isolation is the point: no case may end the batch
            for name in entry.outputs.values():
                with suppress(OSError):
                    (self.output / name).unlink(missing_ok=True)
            entry.outputs, entry.files, entry.measures, entry.consistency = {}, {}, {}, None
            change = change_of_input(case, file_states)
            reason = failure_reason(error if change is None else CaseError(change.reason), case)
            entry.status, entry.reason = "failed", reason
            ending = output_storage_error(error, self.output, source_is_readable=lambda: _is_readable(case))
            if ending is not None:
                raise ending from error
        entry.seconds["write"] = time.perf_counter() - started
        return entry

    def _write_outputs(self, entry: CaseReport, case: Case, segmentation: Segmentation, source: SourceImage) -> None:
        task = self.bundle.task
        mask = Mask(
            array=segmentation.mask,
            affine=segmentation.affine,
            source=case.image,
            labels=task.labels,
            model_name=self.bundle.name,
            model_version=self.bundle.version,
            allow=self.allow,
            phase=case.phase_to_read,
        )
        image = source.array()
        hounsfield = image if task.modality == "CT" else None
        entry.measures = measures(
            mask.array, mask.affine, task, image=hounsfield, in_hu=source.in_hu, spacing=source.spacing
        )
        entry.consistency = segmentation.consistency
        vl_image = case.image[0] if case.kind == "dicom_vl_image" else None
        warnings, notes = case_remarks(segmentation, source, entry.measures, task, vl_image=vl_image)
        format_warnings, format_notes = self._write_masks(mask, case, entry.outputs)
        preview = f"{case.case_id}{PREVIEW_SUFFIX}"
        write_preview(self.output / preview, image, mask.array, affine=mask.affine, task=task, in_hu=source.in_hu)
        entry.outputs["preview"] = preview
        entry.files = {name: file_record(self.output / file) for name, file in entry.outputs.items()}
        entry.warnings = warnings + format_warnings
        entry.notes = notes + format_notes

    def _write_masks(self, mask: Mask, case: Case, outputs: dict[str, str]) -> tuple[list[str], list[str]]:
        """Write the mask in every format that can hold it, and add the file names to ``outputs``.

        Returns:
            Warnings about the files that were written, and warnings and notes about the formats that were not.

        Raises:
            CaseError: when no format could be written.
        """
        formats: Sequence[str] = self.formats or default_formats(mask)
        warnings: list[str] = []
        notes: list[str] = []
        problems: list[str] = []
        for name in formats:
            try:
                path = write_mask(mask, self.output, case_id=case.case_id, format_name=name)
                outputs[name] = path.name
                warnings += [line for line in FORMATS[name].warnings(mask, path) if line not in warnings]
            except CaseError as error:
                problems.append(f"no {name} written: {str(error).removeprefix(f'{name}: ')}")
                (notes if isinstance(error, UnsuitedFormatError) else warnings).append(problems[-1])
        if "nifti" in outputs or ("png" in outputs and len(mask.labels) > 1):  # formats of values without names
            write_label_table(self.output, mask.labels)
        if not outputs:
            raise CaseError("; ".join(problems))
        return warnings, notes


def _is_readable(case: Case) -> bool:
    try:
        fingerprint(case, {})
    except (OSError, CaseError):
        return False
    return True
