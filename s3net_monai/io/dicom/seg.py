"""DICOM Segmentation objects (PS3.3 sections A.51 and A.91) for masks of a CT or MR series or a VL image."""

from __future__ import annotations

import datetime
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from s3net_monai.io.dicom.files import list_dicom_files, read_header
from s3net_monai.io.dicom.geometry import masks_on_slices
from s3net_monai.io.dicom.grid import OUTSIDE
from s3net_monai.io.dicom.header import modality_of
from s3net_monai.io.dicom.matching_keys import MatchingKeys, read_keys, repeat_keys
from s3net_monai.io.dicom.seg_order import order_label_map
from s3net_monai.io.dicom.seg_source import Plane, copy_series_headers, copy_vl_header, format_decimals
from s3net_monai.io.dicom.series import read_geometry
from s3net_monai.io.dicom.uids import EXPLICIT_VR_LITTLE_ENDIAN, RLE_LOSSLESS
from s3net_monai.io.mask import Mask
from s3net_monai.labels import Code, Label
from s3net_monai.utils.errors import CaseError, UnsuitedFormatError
from s3net_monai.utils.reasons import in_words
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
    from pydicom.config import disable_value_validation

    if not list_dicom_files(mask.source):
        raise UnsuitedFormatError("a SEG needs a DICOM series or VL image as input; ask for nifti or png")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom and highdicom quote the patient's name in theirs
        source = _vl_source(mask) if mask.array.ndim == 2 else _series_source(mask)
        try:
            segmentation = _build_segmentation(mask, source.images, source.pixels, segmentation_type)
            _refer_to(segmentation, source)
            if source.thickness is not None:
                _set_thickness(segmentation, source.thickness)
            if segmentation_type == "LABELMAP":
                order_label_map(segmentation)
            with disable_value_validation():  # the keys must be those of the source, valid or not
                repeat_keys(segmentation, source.keys)
                segmentation.save_as(path)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            found, remedy = "the source's headers do not allow a valid SEG", "ask for nifti"
            raise CaseError(f"dicomseg: {in_words(error, found, remedy)}") from error


write_dicom_labelmap = partial(write_dicom_seg, segmentation_type="LABELMAP")


@dataclass(frozen=True, kw_only=True)
class _Source:
    """What a SEG is made of.

    Attributes:
        images: headers of the source.
        pixels: (slices, rows, columns) of the mask on the planes of ``images``.
        planes: the image of every slice, where the source consists of enhanced objects; empty for others.
        thickness: in mm, of a single slice of CT.
        keys: the source's matching keys.
    """

    images: list[Dataset]
    pixels: np.ndarray
    planes: list[Plane]
    thickness: float | None
    keys: MatchingKeys


def _series_source(mask: Mask) -> _Source:
    modality = modality_of(read_header(list_dicom_files(mask.source)[0]))
    geometry = read_geometry(mask.source, mask.allow, modality if modality in OUTSIDE else "CT", mask.phase)
    if mask.array.shape != geometry.shape:
        raise CaseError(f"dicomseg: mask of {mask.array.shape} does not lie on the series' grid of {geometry.shape}")
    images, planes = copy_series_headers(geometry)
    return _Source(
        images=images,
        pixels=masks_on_slices(mask.array, geometry),
        planes=planes if any(plane.frame is not None for plane in planes) else [],
        thickness=float(np.linalg.norm(geometry.affine[:3, 2])) if len(geometry.headers) == 1 else None,
        keys=read_keys(geometry.headers[0].path),
    )


def _vl_source(mask: Mask) -> _Source:
    columns, rows = mask.array.shape
    file = list_dicom_files(mask.source)[0]
    images = [copy_vl_header(file, (columns, rows))]
    return _Source(images=images, pixels=mask.array.T[None], planes=[], thickness=None, keys=read_keys(file))


def _refer_to(segmentation: Dataset, source: _Source) -> None:
    """Refer to the frames and objects of an enhanced source.

    highdicom takes one object, and counts its frames in the order in which it was given them.
    """
    from pydicom import Dataset

    if not source.planes:
        return
    items = [
        item
        for groups in segmentation.PerFrameFunctionalGroupsSequence
        for item in groups.DerivationImageSequence[0].SourceImageSequence
    ]
    for item in {id(item): item for item in items}.values():  # the segments of a plane share one item
        plane = source.planes[int(item.ReferencedFrameNumber) - 1]
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = plane.storage, plane.instance
        if plane.frame is None:
            del item.ReferencedFrameNumber
        else:
            item.ReferencedFrameNumber = plane.frame
    instances = []
    for storage, instance in dict.fromkeys((plane.storage, plane.instance) for plane in source.planes):
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = storage, instance
        instances.append(item)
    segmentation.ReferencedSeriesSequence[0].ReferencedInstanceSequence = instances
    if "SourceImageSequence" in segmentation:
        segmentation.SourceImageSequence = instances


def _set_thickness(segmentation: Dataset, thickness: float) -> None:
    """Let readers make the one frame as thick as its source; highdicom states a distance of 1 mm between slices."""
    measures = segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    measures.SpacingBetweenSlices = format_decimals([thickness])[0]


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
