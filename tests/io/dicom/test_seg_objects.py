"""DICOM SEG of enhanced multi-frame objects and of VL images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid

from s3net_monai.io import Mask, write_mask
from s3net_monai.io.dicom.series import load_series
from s3net_monai.tasks import TASKS
from tests.helpers.dicom_seg_writing import TYPES, Maker, write
from tests.helpers.dicom_tools import (
    DERMOSCOPY,
    SECONDARY_CAPTURE,
    SERIES,
    dciodvfy_errors,
    foreground_positions,
    make_vl_image,
    read_with_dcmqi,
    read_with_highdicom,
)


def multi_frame(maker: Any, order: list[int]) -> Dataset:
    """An enhanced object of the maker's slices, its frames in ``order``."""
    import highdicom as hd

    for dataset in maker.slices:
        dataset.AcquisitionNumber, dataset.PatientPosition, dataset.KVP, dataset.ConvolutionKernel = 1, "HFS", 120, ""
        dataset.AcquisitionDate, dataset.AcquisitionTime = "20200101", "120000"
    enhanced = hd.legacy.LegacyConvertedEnhancedCTImage(
        maker.slices, generate_uid(), series_number=9, sop_instance_uid=generate_uid(), instance_number=1
    )
    groups, pixels = list(enhanced.PerFrameFunctionalGroupsSequence), enhanced.pixel_array
    enhanced.PerFrameFunctionalGroupsSequence = [groups[index] for index in order]
    enhanced.PixelData = pixels[order].tobytes()
    return enhanced


@pytest.mark.parametrize("format_name", TYPES)
@pytest.mark.parametrize("geometry", ["axial", "oblique coronal"])
def test_frames_refer_to_the_frames_of_an_enhanced_object(
    series_maker: Maker, stored_ramp: np.ndarray, blob: np.ndarray, tmp_path: Path, geometry: str, format_name: str
) -> None:
    enhanced = multi_frame(series_maker(stored_ramp, **SERIES[geometry]), [3, 1, 0, 4, 2])
    enhanced.save_as(tmp_path / "enhanced.dcm")
    path = write(blob, tmp_path / "enhanced.dcm", tmp_path, format_name)
    expected = foreground_positions(blob, load_series([tmp_path / "enhanced.dcm"]).affine)
    assert foreground_positions(*read_with_highdicom(path)) == expected
    assert foreground_positions(*read_with_dcmqi(path, tmp_path / "dcmqi")) == expected
    if format_name == "dicomseg":
        assert dciodvfy_errors(path) == []
    seg = dcmread(path)
    assert len(seg.PerFrameFunctionalGroupsSequence) == 4  # the empty slice is left out
    for groups in seg.PerFrameFunctionalGroupsSequence:
        referred = groups.DerivationImageSequence[0].SourceImageSequence[0]
        assert referred.ReferencedSOPInstanceUID == enhanced.SOPInstanceUID
        source = enhanced.PerFrameFunctionalGroupsSequence[referred.ReferencedFrameNumber - 1]
        assert np.allclose(
            groups.PlanePositionSequence[0].ImagePositionPatient, source.PlanePositionSequence[0].ImagePositionPatient
        )


@pytest.mark.parametrize("format_name", TYPES)
@pytest.mark.parametrize("empty", [False, True], ids=["lesion", "empty"])
@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"SOPClassUID": DERMOSCOPY},
        {"SOPClassUID": SECONDARY_CAPTURE, "Modality": "OT"},
        {"LossyImageCompression": "01", "LossyImageCompressionRatio": "12", "PixelSpacing": ["0.1", "0.1"]},
        {"PatientOrientation": ["L", "F"], "FrameOfReferenceUID": "1.2.3"},
    ],
    ids=["photography", "dermoscopy", "secondary capture", "lossy, with spacing", "with orientation"],
)
def test_mask_of_a_vl_image(
    series_maker: Maker, tmp_path: Path, tags: dict[str, Any], empty: bool, format_name: str
) -> None:
    dataset = make_vl_image(series_maker(np.zeros((1, 4, 6), dtype=np.uint16)).slices[0], **tags)
    dataset.save_as(tmp_path / "image.dcm", enforce_file_format=True)
    array = np.zeros((6, 4), dtype=np.uint8)
    array[5, 1:3] = 0 if empty else 1
    mask = Mask(
        array=array,
        affine=np.eye(4),
        source=(tmp_path / "image.dcm",),
        labels=TASKS["skin"].labels,
        model_name="toy",
        model_version="1.2.3",
    )
    path = write_mask(mask, tmp_path, case_id="case", format_name=format_name)
    seg = dcmread(path)
    assert seg.pixel_array.tolist() == array.T.tolist()
    assert "FrameOfReferenceUID" not in seg
    assert seg.StudyInstanceUID == dataset.StudyInstanceUID
    assert seg.SourceImageSequence[0].ReferencedSOPInstanceUID == dataset.SOPInstanceUID
    assert seg.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeValue == "95324001"
    if format_name == "dicomseg":
        assert dciodvfy_errors(path) == []
