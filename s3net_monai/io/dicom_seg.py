"""DICOM Segmentation objects (PS3.3 section A.51) for masks of a CT series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import s3net_monai
from s3net_monai.io.dicom_files import dicom_files, one_line
from s3net_monai.io.dicom_slices import CT_IMAGE_STORAGE
from s3net_monai.io.dicom_series import series_files
from s3net_monai.io.errors import CaseError
from s3net_monai.io.labels import Code, Label
from s3net_monai.io.mask import Mask

SERIES_NUMBER_OFFSET = 1000  # keeps the mask's series behind the scanner's own in a viewer's list


def write_dicom_seg(mask: Mask, path: Path) -> None:
    """Write a BINARY segmentation in the study and frame of reference of its source series.

    Frames without foreground are left out. An empty mask is written with every frame and no foreground, so that
    "nothing found" can be told from "not run": a SEG without frames would be invalid.

    Raises:
        CaseError: when the input was not a DICOM series, or its headers lack what a SEG must carry over.
    """
    if not dicom_files(mask.source):
        raise CaseError("dicomseg needs a DICOM series as input; ask for nifti or png")
    sources = _source_images(mask.source)
    pixels = np.ascontiguousarray(mask.array.transpose(2, 1, 0))
    if pixels.shape != (len(sources), sources[0].Rows, sources[0].Columns):
        raise CaseError(f"dicomseg: mask of {mask.array.shape} does not lie on the series' grid")
    try:
        _segmentation(mask, sources, pixels).save_as(path)
    except (AttributeError, TypeError, ValueError) as error:
        raise CaseError(f"dicomseg: the series' headers do not allow a valid SEG ({one_line(error)})") from error


def _segmentation(mask: Mask, sources: list[Any], pixels: np.ndarray) -> Any:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    algorithm = hd.AlgorithmIdentificationSequence(
        name=mask.model_name, family=codes.DCM.ArtificialIntelligence, version=mask.model_version
    )
    names = ", ".join(label.name for label in mask.labels)
    return hd.seg.Segmentation(
        source_images=sources,
        pixel_array=pixels,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(label, algorithm) for label in mask.labels],
        series_instance_uid=hd.UID(),
        series_number=int(sources[0].get("SeriesNumber") or 0) + SERIES_NUMBER_OFFSET,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="s3net_monai",
        manufacturer_model_name=mask.model_name,
        software_versions=s3net_monai.__version__,
        device_serial_number=mask.model_version,
        omit_empty_frames=bool(pixels.any()),
        content_label="SEGMENTATION",
        content_description=f"S3-Net: {names}"[:64],
        series_description=f"S3-Net segmentation: {names}"[:64],
    )


def _description(label: Label, algorithm: Any) -> Any:
    import highdicom as hd

    return hd.seg.SegmentDescription(
        segment_number=label.value,
        segment_label=label.name,
        segmented_property_category=_coded(label.category),
        segmented_property_type=_coded(label.type),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm,
        display_color=hd.color.CIELabColor.from_rgb(*label.rgb),
    )


def _coded(code: Code) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(code.value, code.scheme, code.meaning)


def _source_images(paths: tuple[Path, ...]) -> list[Any]:
    """Full headers of the series in slice order."""
    from pydicom import dcmread

    sources = []
    for header in series_files(paths).headers:
        source = dcmread(header.filename, stop_before_pixels=True)
        # Some anonymisers strip these; the file's own meta information repeats them.
        source.SOPClassUID = source.get("SOPClassUID") or CT_IMAGE_STORAGE
        source.SOPInstanceUID = source.get("SOPInstanceUID") or source.file_meta.get("MediaStorageSOPInstanceUID", "")
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            if not source.get(keyword):
                name = Path(header.filename).name
                raise CaseError(f"dicomseg: {name} has no {keyword} that a SEG could refer to; ask for nifti")
        sources.append(source)
    return sources
