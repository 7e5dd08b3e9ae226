#!/usr/bin/env bash
# dcmqi 1.5.7: itkimage2segimage takes a mask that lies beside the images it is given, ends with 0 and writes a segmentation
# that refers to none of them. It still carries the images' frame of reference. The usual way there is a mask that lost its
# origin. A viewer that finds the images of a segmentation by its references finds nothing to show it on.
#
# Guessed: an error, as for a label without a description, or at least a warning.
# Installs dcmqi, SimpleITK and pydicom into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet dcmqi==1.5.7 SimpleITK==2.5.7 pydicom==3.0.2 numpy==2.4.6
cat >"$folder/show.py" <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
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


Path("images").mkdir()
for number in range(4):
    ct_slice(number, 16, 16, [1, 1], 2, 2).save_as(f"images/{number}.dcm", enforce_file_format=True)


def code(value, meaning):
    """A SNOMED CT code as dcmqi's JSON wants it."""
    return {"CodeValue": value, "CodingSchemeDesignator": "SCT", "CodeMeaning": meaning}


lung = {
    "labelID": 1,
    "SegmentDescription": "lung",
    "SegmentAlgorithmType": "MANUAL",
    "SegmentedPropertyCategoryCodeSequence": code("123037004", "Anatomical Structure"),
    "SegmentedPropertyTypeCodeSequence": code("39607008", "Lung"),
}
meta = {"ContentCreatorName": "Reader", "ContentLabel": "LUNG", "SeriesNumber": "2", "segmentAttributes": [[lung]]}
Path("meta.json").write_text(json.dumps(meta))
mask = np.zeros((4, 16, 16), np.uint8)
mask[1:3, 4:8, 4:8] = 1
tool = Path(sys.executable).parent / "itkimage2segimage"
seen = {}
for name, origin in (("on the images", (-10.0, -20.0, 30.0)), ("at the origin", (0.0, 0.0, 0.0))):
    image = sitk.GetImageFromArray(mask)
    image.SetSpacing((1.0, 1.0, 2.0))
    image.SetOrigin(origin)
    sitk.WriteImage(image, "mask.nrrd")
    options = "--inputImageList mask.nrrd --inputDICOMDirectory images --inputMetadata meta.json"
    options += " --outputDICOM segmentation.dcm"
    run = subprocess.run([tool, *options.split()], capture_output=True, text=True)
    result = pydicom.dcmread("segmentation.dcm")
    series = result.get("ReferencedSeriesSequence") or []
    referred = sum(len(part.ReferencedInstanceSequence) for part in series)
    lines = (run.stdout + run.stderr).splitlines()
    complaints = [line for line in lines if "warn" in line.lower() or "error" in line.lower()]
    seen[name] = run.returncode, referred, result.FrameOfReferenceUID == UIDS[2], complaints
    print(f"mask {name}: exit {run.returncode}, {referred} images referred to, messages: {complaints}, ", end="")
    print(f"same frame of reference: {seen[name][2]}")
raise SystemExit(seen != {"on the images": (0, 2, True, []), "at the origin": (0, 0, True, [])})
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
