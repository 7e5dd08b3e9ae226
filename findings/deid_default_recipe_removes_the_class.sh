#!/usr/bin/env bash
# deid 0.4.13: its default recipe removes every UID of a DICOM file, at all levels: of study, series, instance and frame of
# reference, and also the SOP Class UID, which says what kind of object the file is. Two slices and the mask that refers to
# them come out as files that belong to no series, of no kind, and the mask's references name nothing. No warning is shown.
#
# Guessed: UIDs are replaced by new ones, the same in all files of a call, as PS3.15 table E.1-1 asks; the class is kept.
# Installs deid into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet deid==0.4.13 pydicom==3.0.2 highdicom==0.27.0 numpy==2.4.6
cat >"$folder/show.py" <<'PYTHON'
from pathlib import Path

import numpy
from deid.config import DeidRecipe
from deid.dicom import replace_identifiers
from highdicom.seg import Segmentation, SegmentDescription
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

study, series, frame = generate_uid(), generate_uid(), generate_uid()
slices = []
for number in range(2):
    image = Dataset()
    image.file_meta = Dataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
    image.PatientName, image.PatientID, image.PatientSex, image.PatientBirthDate = "Doe^Jane", "1234567", "F", ""
    image.StudyID, image.AccessionNumber, image.StudyDate, image.StudyTime = "1", "", "20240102", "101010"
    image.ReferringPhysicianName, image.Modality, image.SeriesNumber, image.InstanceNumber = "", "CT", 1, number + 1
    image.ImageOrientationPatient, image.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 5 * number]
    image.PixelSpacing, image.SliceThickness, image.Rows, image.Columns = [2, 2], 5, 8, 8
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    image.RescaleSlope, image.RescaleIntercept = 1, -1024
    image.PixelData = bytes(128)
    image.save_as(f"slice{number}.dcm", enforce_file_format=True)
    slices.append(dcmread(f"slice{number}.dcm"))
mask = Segmentation(
    slices,
    numpy.ones((2, 8, 8), numpy.uint8),
    "BINARY",
    [SegmentDescription(1, "lung", codes.SCT.Organ, codes.SCT.Lung, "MANUAL")],
    generate_uid(),
    2,
    generate_uid(),
    1,
    "maker",
    "model",
    "1",
    "1",
)
mask.save_as("mask.dcm")


def uids(path: str) -> list[str]:
    return [element.keyword for element in dcmread(path).iterall() if element.VR == "UI"]


names = ["slice0.dcm", "slice1.dcm", "mask.dcm"]
Path("out").mkdir()
replace_identifiers(dicom_files=names, deid=DeidRecipe(), save=True, output_folder="out", overwrite=True)
left = []
for name in names:
    after = uids(f"out/{name}")
    left += after
    print(f"{name}: {len(uids(name))} UIDs before, {len(after)} after")
    print(f"  modality {dcmread(f'out/{name}').get('Modality')}, class {dcmread(f'out/{name}').get('SOPClassUID')}")
raise SystemExit(bool(left))
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
