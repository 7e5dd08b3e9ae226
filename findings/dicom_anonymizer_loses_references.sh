#!/usr/bin/env bash
# dicom-anonymizer 2.1.0 gives a CT series new UIDs, and its segmentation in the same run too, but not the UIDs within the
# segmentation's sequences: it still refers to the series and slices by the old UIDs, which no longer exist. Study and frame
# of reference fit. Every file is valid by itself, and a viewer or archive that joins a segmentation to its images by the
# references finds none.
#
# Guessed: UIDs are replaced alike wherever they stand, so that the references of files from one run still fit.
# Installs dicom-anonymizer and highdicom into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet dicom-anonymizer==2.1.0 highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6
cat >"$folder/show.py" <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import subprocess
import sys
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
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


images = [ct_slice(number, 16, 16, [1, 1], 2, 2) for number in range(4)]
mask = np.zeros((4, 16, 16), np.uint8)
mask[:, 4:8, 4:8] = 1
Path("before").mkdir()
Path("after").mkdir()
for number, file in enumerate([*images, segmentation(images, mask, "BINARY", [1])]):
    file.save_as(f"before/{number}.dcm", enforce_file_format=True)
subprocess.run([Path(sys.executable).parent / "dicom-anonymizer", "before", "after"], check=True, capture_output=True)
seen = {}
for folder in ("before", "after"):
    files = [pydicom.dcmread(path) for path in sorted(Path(folder).iterdir())]
    slices = {file.SOPInstanceUID for file in files if file.Modality == "CT"}
    (result,) = (file for file in files if file.Modality == "SEG")
    (series,) = result.ReferencedSeriesSequence
    found = sum(item.ReferencedSOPInstanceUID in slices for item in series.ReferencedInstanceSequence)
    same_series = series.SeriesInstanceUID in {file.SeriesInstanceUID for file in files}
    same_frame = result.FrameOfReferenceUID in {file.FrameOfReferenceUID for file in files if file.Modality == "CT"}
    seen[folder] = found, same_series, same_frame
    print(f"{folder}: {found} of 4 slices found, series found: {same_series}, frame of reference fits: {same_frame}")
raise SystemExit(seen != {"before": (4, True, True), "after": (0, False, True)})
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
