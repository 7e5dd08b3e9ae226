#!/usr/bin/env bash
# dcm2niix 1.0.20260724: a binary DICOM SEG of two segments becomes a NIfTI of two volumes, as announced, but each volume
# holds slices of both segments, without a warning: slice 1 of segment 1, slice 1 of segment 2, slice 2 of segment 1 ...
# The file is highdicom's (0.28.2), with frames ordered by segment and position and dimension indices that say so.
#
# Guessed: one volume per segment. Installs dcm2niix, highdicom and nibabel into a temporary folder; PYTHON names the
# interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet dcm2niix==1.0.20260724 highdicom==0.28.2 nibabel==5.4.2
cat >"$folder/write.py" <<'PYTHON'
import sys
import warnings

import highdicom as hd
import numpy as np
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

warnings.simplefilter("ignore")
study, series, frame = generate_uid(), generate_uid(), generate_uid()
slices = []
for index in range(3):
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
    image.PatientID = image.PatientName = image.PatientBirthDate = image.PatientSex = image.StudyID = ""
    image.StudyDate, image.StudyTime, image.AccessionNumber, image.ReferringPhysicianName = "20200101", "120000", "", ""
    image.Manufacturer, image.Modality, image.Rows, image.Columns = "toy", "CT", 8, 8
    image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 3 * index]
    image.PixelSpacing, image.SliceThickness, image.PositionReferenceIndicator = [1, 1], 3, ""
    slices.append(image)
mask = np.zeros((3, 8, 8), np.uint8)
mask[:, 0, 0] = 1  # one pixel a slice
mask[:, 4:6, 0] = 2  # two pixels a slice
segments = [
    hd.seg.SegmentDescription(number, f"toy {number}", codes.SCT.Organ, codes.SCT.Lung, "MANUAL") for number in (1, 2)
]
hd.seg.Segmentation(
    slices, mask, "BINARY", segments, generate_uid(), 2, generate_uid(), 1, "toy", "toy", "1", "1"
).save_as(sys.argv[1])
PYTHON
mkdir "$folder/dicom" "$folder/nifti"
"$folder/environment/bin/python" "$folder/write.py" "$folder/dicom/seg.dcm"
"$folder/environment/bin/dcm2niix" -f out -o "$folder/nifti" "$folder/dicom" >/dev/null
sizes=$("$folder/environment/bin/python" - "$folder/nifti/out.nii" <<'PYTHON'
import sys

import nibabel

voxels = nibabel.load(sys.argv[1]).get_fdata()
print(voxels.sum(axis=(0, 1)).astype(int).T.tolist())
PYTHON
)
echo "pixels of foreground in the slices of each volume: written [[1, 1, 1], [2, 2, 2]], read $sizes"
[ "$sizes" != "[[1, 1, 1], [2, 2, 2]]" ]
