#!/usr/bin/env bash
# dcm2niix 1.0.20260724: a compressed multi-frame object whose frames descend along the normal of its slices comes out
# upside down, without a warning. The same object uncompressed comes out right. highdicom 0.28.2 writes the frames of every
# segmentation in that order, so an RLE-compressed label map (DICOM Labelmap Segmentation) puts what lies at the head at
# the feet; shape and affine are right, so nothing shows it but the mask itself.
#
# Guessed: compression does not move voxels. Installs dcm2niix, highdicom and nibabel into a temporary folder; PYTHON
# names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet dcm2niix==1.0.20260724 highdicom==0.28.2 nibabel==5.4.2
cat >"$folder/write.py" <<'PYTHON'
import sys
import warnings
from pathlib import Path

import highdicom as hd
import numpy as np
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, generate_uid

warnings.simplefilter("ignore")
study, series, frame = generate_uid(), generate_uid(), generate_uid()
slices = []
for index in range(4):
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
    image.PatientID = image.PatientName = image.PatientBirthDate = image.PatientSex = image.StudyID = ""
    image.StudyDate, image.StudyTime, image.AccessionNumber, image.ReferringPhysicianName = "20200101", "120000", "", ""
    image.Manufacturer, image.Modality, image.Rows, image.Columns = "toy", "CT", 8, 8
    image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 3 * index]
    image.PixelSpacing, image.SliceThickness, image.PositionReferenceIndicator = [1, 1], 3, ""
    slices.append(image)
mask = np.zeros((4, 8, 8), np.uint8)
for index in range(4):
    mask[index, : index + 1] = 1  # one row at the feet, four at the head
segment = hd.seg.SegmentDescription(1, "toy", codes.SCT.Organ, codes.SCT.Lung, "MANUAL")
for name, syntax in (("plain", ExplicitVRLittleEndian), ("compressed", RLELossless)):
    target = Path(sys.argv[1]) / name
    target.mkdir()
    hd.seg.Segmentation(
        slices, mask, "LABELMAP", [segment], generate_uid(), 2, generate_uid(), 1, "toy", "toy", "1", "1",
        transfer_syntax_uid=syntax,
    ).save_as(target / "seg.dcm")
PYTHON
cat >"$folder/rows.py" <<'PYTHON'
import sys

import nibabel

image = nibabel.load(sys.argv[1])
feet_first = 1 if image.affine[2, 2] > 0 else -1
print(*(image.get_fdata().sum(axis=(0, 1)) / 8)[::feet_first].astype(int))
PYTHON
"$folder/environment/bin/python" "$folder/write.py" "$folder"
for name in plain compressed; do
  mkdir "$folder/$name/nifti"
  "$folder/environment/bin/dcm2niix" -f out -o "$folder/$name/nifti" "$folder/$name" >/dev/null
done
plain=$("$folder/environment/bin/python" "$folder/rows.py" "$folder"/plain/nifti/*.nii)
compressed=$("$folder/environment/bin/python" "$folder/rows.py" "$folder"/compressed/nifti/*.nii)
echo "rows of foreground from the feet to the head: written 1 2 3 4, read uncompressed $plain, RLE $compressed"
[ "$plain" = "1 2 3 4" ] && [ "$compressed" = "4 3 2 1" ]
