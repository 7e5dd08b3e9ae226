#!/usr/bin/env bash
# antspyx 0.6.3: ants.dicom_read stacks the slices of a series in the order in which the system happens to list the folder,
# 1 mm apart, from the position of whichever file came first. Neither position, instance number nor file name counts, and
# the slice spacing is not read. The result has the right shape and a plausible header; nothing is said.
#
# Guessed: slices in the order of their positions, with the spacing between them.
# Installs antspyx and pydicom into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet antspyx==0.6.3 pydicom==3.0.2 numpy==2.3.5
cat >"$folder/show.py" <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import os
from pathlib import Path

import ants
import numpy as np
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


Path("series").mkdir()
for number in range(12):
    ct_slice(number, 16, 16, [1, 1], 2.5, 2.5).save_as(f"series/{number:02d}.dcm", enforce_file_format=True)
image = ants.dicom_read("series")
order = [int(value) // 100 for value in image.numpy()[0, 0]]
listed = [int(Path(name).stem) for name in os.listdir("series")]
print(f"slices {order}, the folder lists {listed}")
print(f"spacing {image.spacing[2]} mm (right: 2.5), first slice at {image.origin[2]} mm (right: 30.0)")
raise SystemExit(order != listed or image.spacing[2] != 1.0 or image.origin[2] != 30.0 + 2.5 * listed[0])
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
