#!/usr/bin/env bash
# ITK (SimpleITK 2.5.7): a binary DICOM SEG whose bits end within a byte is read without that byte. The voxels there keep
# what the memory held: usually 0, at times a value such as 58 that no binary mask has. No warning. 5 x 5 pixels, all
# foreground, lose the 25th.
#
# Guessed: every voxel is read, as for 5 x 8 pixels. Installs SimpleITK and highdicom into a temporary folder; PYTHON
# names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet SimpleITK==2.5.7 highdicom==0.28.2
"$folder/environment/bin/python" - "$folder" <<'PYTHON'
import sys
import warnings

import highdicom as hd
import numpy as np
import SimpleITK
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

warnings.simplefilter("ignore")
missing = {}
for columns in (8, 5):
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = (generate_uid() for _ in range(3))
    image.PatientID = image.PatientName = image.PatientBirthDate = image.PatientSex = image.StudyID = ""
    image.StudyDate, image.StudyTime, image.AccessionNumber, image.ReferringPhysicianName = "20200101", "120000", "", ""
    image.Manufacturer, image.Modality, image.Rows, image.Columns = "toy", "CT", 5, columns
    image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 0]
    image.PixelSpacing, image.SliceThickness, image.PositionReferenceIndicator = [1, 1], 3, ""
    segment = hd.seg.SegmentDescription(1, "toy", codes.SCT.Organ, codes.SCT.Lung, "MANUAL")
    seg = hd.seg.Segmentation(
        [image], np.ones((1, 5, columns), np.uint8), "BINARY", [segment],
        generate_uid(), 2, generate_uid(), 1, "toy", "toy", "1", "1",
    )
    seg.save_as(f"{sys.argv[1]}/{columns}.dcm")
    values = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(f"{sys.argv[1]}/{columns}.dcm")).ravel()
    missing[columns] = int((values != 255).sum())
    print(f"5 x {columns} pixels, all foreground: {missing[columns]} not read as foreground; the last is {values[-1]}")
raise SystemExit(missing != {8: 0, 5: 1})
PYTHON
