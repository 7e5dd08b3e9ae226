#!/usr/bin/env bash
# highdicom 0.28.2, dcmqi 1.5.7 and SimpleITK 2.5.7 give a single DICOM slice of 5 mm a depth of 1 mm; dcm2niix
# 1.0.20260724 gives it 5 mm. SliceThickness stands in the CT slice and in the segmentation made of it, and nobody warns.
# The volume of a lesion that was drawn on one slice is a fifth in one tool of what it is in another.
#
# Guessed: SliceThickness stands in where one slice leaves no spacing to measure.
# Installs the four into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet highdicom==0.28.2 dcmqi==1.5.7 SimpleITK==2.5.7 dcm2niix==1.0.20260724 \
  pydicom==3.0.2 nibabel==5.4.2 numpy==2.4.6
cat >"$folder/show.py" <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import subprocess
import sys
from pathlib import Path

import highdicom as hd
import nibabel as nib
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


image = ct_slice(0, 32, 32, [1, 1], 5, 5)
Path("image").mkdir()
image.save_as("image/0.dcm", enforce_file_format=True)
mask = np.zeros((1, 32, 32), np.uint8)
mask[0, 8:16, 8:16] = 1
segmentation([image], mask, "BINARY", [1]).save_as("segmentation.dcm")
tools = Path(sys.executable).parent
Path("converted").mkdir()
for command in (
    f"{tools}/dcm2niix -f image -o converted image",
    f"{tools}/segimage2itkimage --inputDICOM segmentation.dcm --outputDirectory converted --outputType nrrd",
):
    subprocess.run(command.split(), check=True, capture_output=True)
seen = {
    "CT slice, dcm2niix": nib.load("converted/image.nii").header.get_zooms()[2],
    "CT slice, SimpleITK": sitk.ReadImage("image/0.dcm").GetSpacing()[2],
    "CT slice, highdicom": hd.imread("image/0.dcm").get_volume().spacing[0],
    "segmentation, highdicom": hd.seg.segread("segmentation.dcm").get_volume().spacing[0],
    "segmentation, dcmqi": sitk.ReadImage("converted/1.nrrd").GetSpacing()[2],
}
for reader, depth in seen.items():
    print(f"{reader}: {depth:g} mm deep")
raise SystemExit([float(depth) for depth in seen.values()] != [5.0, 1.0, 1.0, 1.0, 1.0])
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
