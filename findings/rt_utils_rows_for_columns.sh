#!/usr/bin/env bash
# rt-utils 1.2.7 takes rows for columns in two places. It multiplies column numbers by the distance of rows and row numbers
# by that of columns, so that with pixels that are not square an RTSTRUCT lies elsewhere than its mask; read back by the
# same package the two errors cancel. And it reads the structures of an image that is not square into an array of
# (columns, rows, slices), cut at the shorter side: the structure below is gone. Square images of square pixels are right.
#
# Guessed: an array of (rows, columns, slices), as add_roi takes it, and contours at the mask's place.
# Installs rt-utils into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet rt-utils==1.2.7 pydicom==3.0.2 opencv-python==5.0.0.93 numpy==2.4.6
cat >"$folder/show.py" <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import contextlib
import io
from pathlib import Path

import numpy as np
import pydicom
from rt_utils import RTStructBuilder
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


seen = {}
for name, rows, columns, spacing in (
    ("square", 40, 40, [1, 1]),
    ("pixels of 2 x 1 mm", 40, 40, [2, 1]),
    ("40 x 60 pixels", 40, 60, [1, 1]),
):
    Path(name).mkdir()
    for number in range(4):
        ct_slice(number, rows, columns, spacing, 2, 2).save_as(f"{name}/{number}.dcm", enforce_file_format=True)
    mask = np.zeros((rows, columns, 4), bool)
    mask[5:16, columns - 15 : columns - 4, 1] = True
    with contextlib.redirect_stdout(io.StringIO()):
        structures = RTStructBuilder.create_new(name)
        structures.add_roi(mask, name="box")
        structures.save("structures.dcm")
        back = RTStructBuilder.create_from(name, "structures.dcm").get_roi_mask_by_name("box")
    points = np.reshape(pydicom.dcmread("structures.dcm").ROIContourSequence[0].ContourSequence[0].ContourData, (-1, 3))
    size = [round(float(extent), 3) for extent in np.ptp(np.asarray(points, float), axis=0)[:2]]
    seen[name] = size, back.shape[:2], int(back.sum())
    right = [10.0 * spacing[1], 10.0 * spacing[0]]
    print(f"{name}: contour {size[0]} x {size[1]} mm (right: {right[0]} x {right[1]}); read back: ", end="")
    print(f"{back.shape}, {seen[name][2]} of 121 voxels")
expected = {
    "square": ([10.0, 10.0], (40, 40), 121),
    "pixels of 2 x 1 mm": ([20.0, 10.0], (40, 40), 121),
    "40 x 60 pixels": ([10.0, 10.0], (60, 40), 0),
}
raise SystemExit(seen != expected)
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
