#!/usr/bin/env bash
# SimpleITK 2.5.7 reads a BINARY DICOM segmentation as 0 and 255, not 0 and 1. Where an empty slice between two filled
# ones was left out of the file, as writers do by default, it also drops the voxel size of all three axes and the
# direction: 1 mm a voxel, and a stack that was stored from the top downwards is placed upwards from its top slice.
# Without a gap spacing and direction are right. There is no warning in Python.
#
# Guessed: values 0 and 1, and with a gap the given spacing, with the slices beyond the gap one slice off.
# Installs SimpleITK and highdicom into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet SimpleITK==2.5.7 highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6
cat >"$folder/show.py" <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import highdicom as hd
import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

UIDS = [generate_uid() for _ in range(3)]


def ct_slice(number, rows, columns, spacing, thickness, step):
    """A CT slice, `step` mm above the one before it; all share their series and frame of reference."""
    slice_ = Dataset()
    slice_.file_meta = FileMetaDataset()
    slice_.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    values = {
        "SOPClassUID": CTImageStorage, "SOPInstanceUID": generate_uid(), "StudyInstanceUID": UIDS[0],
        "SeriesInstanceUID": UIDS[1], "FrameOfReferenceUID": UIDS[2], "PatientID": "1", "PatientName": "Phantom^Box",
        "PatientBirthDate": "", "PatientSex": "", "StudyDate": "20260101", "StudyTime": "120000", "StudyID": "1",
        "AccessionNumber": "", "ReferringPhysicianName": "", "PositionReferenceIndicator": "", "Manufacturer": "None",
        "Modality": "CT", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "PatientPosition": "HFS", "KVP": 120,
        "SeriesNumber": 1, "AcquisitionNumber": 1, "InstanceNumber": number + 1, "PixelSpacing": spacing,
        "SliceThickness": thickness, "ImagePositionPatient": [-10.0, -20.0, 30.0 + step * number],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "Rows": rows, "Columns": columns, "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15,
        "PixelRepresentation": 1, "RescaleIntercept": 0, "RescaleSlope": 1, "RescaleType": "HU",
        "PixelData": np.full((rows, columns), 100 * number, "<i2").tobytes(),
    }  # fmt: skip
    for name, value in values.items():
        setattr(slice_, name, value)
    return slice_


def segment(number):
    """A segment of the lung, by its number."""
    category = hd.sr.CodedConcept("123037004", "SCT", "Anatomical Structure")
    kind = hd.sr.CodedConcept("39607008", "SCT", "Lung")
    return hd.seg.SegmentDescription(number, f"lung {number}", category, kind, "MANUAL")


def segmentation(images, mask, kind, numbers, **options):
    """DICOM SEG of `mask` (slices, rows, columns, or with one channel a segment) on `images`."""
    segments = [segment(number) for number in numbers]
    uids = hd.UID(), 2, hd.UID(), 1
    return hd.seg.Segmentation(images, mask, kind, segments, *uids, "None", "None", "1", "1", **options)


images = [ct_slice(number, 40, 48, [0.8, 0.6], 2.5, 2.5) for number in range(8)]
seen = {}
for name, filled in (("without a gap", [2, 3, 4, 5]), ("with a gap", [2, 3, 5])):
    mask = np.zeros((8, 40, 48), np.uint8)
    mask[filled, 5:20, 5:20] = 1
    segmentation(images, mask, "BINARY", [1]).save_as("segmentation.dcm")
    image = sitk.ReadImage("segmentation.dcm")
    spacing, top, direction = image.GetSpacing(), image.GetOrigin()[2], image.GetDirection()[8]
    value = int(sitk.GetArrayFromImage(image).max())
    seen[name] = spacing, top, direction, value
    print(f"{name}: spacing {spacing}, first slice at {top} mm, direction of slices {direction:+g}, mask value {value}")
expected = {"without a gap": ((0.6, 0.8, 2.5), 42.5, -1.0, 255), "with a gap": ((1.0, 1.0, 1.0), 42.5, 1.0, 255)}
raise SystemExit(seen != expected)
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
