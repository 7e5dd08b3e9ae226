#!/usr/bin/env bash
# highdicom 0.28.2: Segmentation.number_of_segments, "the number of non-background segments", is one too small for a label
# map, so 0 for a map of one segment. It subtracts the background from segment_numbers, which leaves it out already.
# segment_numbers is right.
#
# Guessed: number_of_segments == len(segment_numbers). Installs highdicom into a temporary folder; PYTHON names the
# interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet highdicom==0.28.2
"$folder/environment/bin/python" - <<'PYTHON'
import warnings

import highdicom as hd
import numpy as np
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

warnings.simplefilter("ignore")
image = Dataset()
image.SOPClassUID, image.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", generate_uid()
image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = (generate_uid() for _ in range(3))
image.PatientID = image.PatientName = image.PatientBirthDate = image.PatientSex = image.StudyID = ""
image.StudyDate, image.StudyTime, image.AccessionNumber, image.ReferringPhysicianName = "20200101", "120000", "", ""
image.Manufacturer, image.Modality, image.Rows, image.Columns = "toy", "CT", 8, 8
image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 0]
image.PixelSpacing, image.SliceThickness, image.PositionReferenceIndicator = [1, 1], 3, ""
segment = hd.seg.SegmentDescription(1, "toy", codes.SCT.Organ, codes.SCT.Lung, "MANUAL")
found = {}
for kind in ("BINARY", "LABELMAP"):
    seg = hd.seg.Segmentation(
        [image], np.ones((1, 8, 8), np.uint8), kind, [segment],
        generate_uid(), 2, generate_uid(), 1, "toy", "toy", "1", "1",
    )
    found[kind] = (seg.segment_numbers, seg.number_of_segments)
    print(f"{kind}: segment_numbers {seg.segment_numbers}, number_of_segments {seg.number_of_segments}")
raise SystemExit(found != {"BINARY": ([1], 1), "LABELMAP": ([1], 0)})
PYTHON
