"""DICOM Segmentation objects (PS3.3 sections A.51 and A.91) for masks of a CT series or a VL image."""

from __future__ import annotations

import datetime
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from s3net_monai.io.dicom.files import list_dicom_files
from s3net_monai.io.dicom.geometry import masks_on_slices
from s3net_monai.io.dicom.seg_order import order_label_map
from s3net_monai.io.dicom.seg_source import copy_series_headers, copy_vl_header, frame_numbers
from s3net_monai.io.dicom.series import read_geometry
from s3net_monai.io.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN, RLE_LOSSLESS
from s3net_monai.io.mask import Mask
from s3net_monai.labels import Code, Label
from s3net_monai.utils.errors import CaseError, UnsuitedFormatError
from s3net_monai.utils.messages import one_line
from s3net_monai.version import __version__

if TYPE_CHECKING:
    import highdicom as hd
    from highdicom.sr import CodedConcept
    from pydicom import Dataset

SERIES_NUMBER_OFFSET = 1000  # keeps the mask's series behind the scanner's own in a viewer's list
MAX_SERIES_NUMBER = 2**31 - 1  # of an integer string, PS3.5 section 6.2
TOOL = "s3net_monai"
# A label map has 8 bits per voxel: run lengths reduce 68 MB of lungs to 1.5 MB. dcmqi takes JPEG-LS and JPEG 2000 for
# lossy.
TRANSFER_SYNTAXES = {"BINARY": EXPLICIT_VR_LITTLE_ENDIAN, "LABELMAP": RLE_LOSSLESS}


def write_dicom_seg(mask: Mask, path: Path, segmentation_type: str = "BINARY") -> None:
    """Write a segmentation in the study and frame of reference of its source.

    Every frame lies on a slice of the source, even if the mask's grid was resampled from a series with missing slices
    or tilt. Frames without foreground are left out. An empty mask is written with every frame and no foreground, so
    that "nothing found" differs from "not run": a SEG without frames would be invalid.

    Args:
        mask: of a DICOM source.
        path: the file to write.
        segmentation_type: "BINARY" or "LABELMAP" (PS3.3 section C.8.20.2.3).

    Raises:
        UnsuitedFormatError: if the input was not DICOM.
        CaseError: if its headers lack what a SEG must refer to.
    """
    if not list_dicom_files(mask.source):
        raise UnsuitedFormatError("a SEG needs a DICOM series or VL image as input; ask for nifti or png")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom and highdicom quote the patient's name in theirs
        sources, pixels, numbers = _vl_frames(mask) if mask.array.ndim == 2 else _series_frames(mask)
        try:
            segmentation = _build_segmentation(mask, sources, pixels, segmentation_type)
            _number_frames(segmentation, numbers)
            if segmentation_type == "LABELMAP":
                order_label_map(segmentation)
            segmentation.save_as(path)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CaseError(f"dicomseg: the source's headers do not allow a valid SEG ({one_line(error)})") from error


write_dicom_labelmap = partial(write_dicom_seg, segmentation_type="LABELMAP")


def bit_packing_caution(path: Path) -> str:
    """Return what to know before a BINARY segmentation is opened in a web viewer, or an empty string.

    Its frames follow each other without a gap (PS3.5 section 8.1.1), so they begin within a byte where a frame has a
    number of pixels that is no multiple of 8. Cornerstone, on which OHIF stands, lets every frame begin with a byte.
    """
    from pydicom import dcmread

    seg = dcmread(path, specific_tags=["Rows", "Columns", "NumberOfFrames"], stop_before_pixels=True)
    if seg.Rows * seg.Columns % 8 == 0 or int(seg.NumberOfFrames) == 1:
        return ""
    return (
        f"dicomseg: frames of {seg.Rows} x {seg.Columns} pixels, no multiple of 8: OHIF and other web viewers on "
        "Cornerstone show the segments at wrong places or not at all; the file is valid, and dicomseg-labelmap is safe"
    )


def _series_frames(mask: Mask) -> tuple[list[Dataset], np.ndarray, list[int] | None]:
    """Return the source headers, the mask (slices, rows, columns) on their planes, and the planes' frame numbers."""
    geometry = read_geometry(mask.source, mask.allow)
    if mask.array.shape != geometry.shape:
        raise CaseError(f"dicomseg: mask of {mask.array.shape} does not lie on the series' grid of {geometry.shape}")
    return copy_series_headers(geometry), masks_on_slices(mask.array, geometry), frame_numbers(geometry)


def _vl_frames(mask: Mask) -> tuple[list[Dataset], np.ndarray, None]:
    columns, rows = mask.array.shape
    return [copy_vl_header(list_dicom_files(mask.source)[0], (columns, rows))], mask.array.T[None], None


def _number_frames(segmentation: Dataset, numbers: list[int] | None) -> None:
    """Refer to the source's frames by their own numbers; highdicom counts them in the order it was given."""
    if numbers is None:
        return
    for groups in segmentation.PerFrameFunctionalGroupsSequence:
        for item in groups.DerivationImageSequence[0].SourceImageSequence:
            item.ReferencedFrameNumber = numbers[int(item.ReferencedFrameNumber) - 1]


def _build_segmentation(mask: Mask, sources: list[Dataset], pixels: np.ndarray, segmentation_type: str) -> Dataset:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    algorithm = hd.AlgorithmIdentificationSequence(
        name=mask.model_name, family=codes.DCM.ArtificialIntelligence, version=mask.model_version
    )
    names = ", ".join(label.name for label in mask.labels)
    written_at = datetime.datetime.now()
    segmentation = hd.seg.Segmentation(
        source_images=sources,
        pixel_array=np.ascontiguousarray(pixels),
        segmentation_type=segmentation_type,
        transfer_syntax_uid=TRANSFER_SYNTAXES[segmentation_type],
        segment_descriptions=[_description(label, algorithm) for label in mask.labels],
        series_instance_uid=hd.UID(),
        series_number=_series_number(sources[0]),
        series_date=written_at.date(),
        series_time=written_at.time(),
        sop_instance_uid=hd.UID(),
        instance_number=1,
        content_date=written_at.date(),
        content_time=written_at.time(),
        manufacturer=TOOL,
        manufacturer_model_name=mask.model_name,
        software_versions=__version__,
        device_serial_number=mask.model_version,
        contributing_equipment=[_contribution(mask, written_at)],
        omit_empty_frames=bool(pixels.any()),
        content_label="SEGMENTATION",
        content_description=f"S3-Net: {names}"[:64],
        series_description=f"S3-Net segmentation: {names}"[:64],
        specific_character_set="ISO_IR 192",
    )
    segmentation.ContentCreatorName = ""  # type 2 in PS3.3 section 10.9: no person created it
    if "FrameOfReferenceUID" not in sources[0]:
        # PS3.3 section C.7.6.1: type 2C where there is no position in the patient.
        segmentation.PatientOrientation = sources[0].get("PatientOrientation", "")
    return segmentation


def _series_number(source: Dataset) -> int:
    number = int(source.get("SeriesNumber") or 0) + SERIES_NUMBER_OFFSET
    return number if 0 < number <= MAX_SERIES_NUMBER else SERIES_NUMBER_OFFSET


def _contribution(mask: Mask, written_at: datetime.datetime) -> hd.ContributingEquipment:
    import highdicom as hd
    from pydicom.sr.codedict import codes

    return hd.ContributingEquipment(
        manufacturer=TOOL,
        purpose_of_reference=codes.DCM.ProcessingEquipment,
        manufacturer_model_name=mask.model_name,
        software_versions=__version__,
        device_serial_number=mask.model_version,
        contribution_datetime=written_at,
        contribution_description="Automatic segmentation, for research, not for diagnosis",
    )


def _description(label: Label, algorithm: hd.AlgorithmIdentificationSequence) -> hd.seg.SegmentDescription:
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


def _coded(code: Code) -> CodedConcept:
    from highdicom.sr import CodedConcept

    return CodedConcept(code.value, code.scheme, code.meaning)
