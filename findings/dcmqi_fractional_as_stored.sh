#!/usr/bin/env bash
# dcmqi 1.5.7: segimage2itkimage writes a FRACTIONAL segmentation as the stored whole numbers, without dividing them by
# MaximumFractionalValue: a probability of 0.3 comes out as 76 of 255, the same probability in a file whose maximum is 100
# as 30. The JSON beside it names no maximum, so one cannot tell the two apart. highdicom gives 0.3 for both.
#
# Guessed: fractions between 0 and 1 as floating-point numbers.
# Installs dcmqi, highdicom and SimpleITK into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet dcmqi==1.5.7 highdicom==0.28.2 SimpleITK==2.5.7 pydicom==3.0.2 numpy==2.4.6
cat >"$folder/show.py" <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
import subprocess
import sys
from pathlib import Path

import highdicom as hd
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


images = [ct_slice(number, 16, 16, [1, 1], 2, 2) for number in range(4)]
tool = Path(sys.executable).parent / "segimage2itkimage"
seen = {}
for maximum in (255, 100):
    mask = np.zeros((4, 16, 16), np.float32)
    mask[:, 4:8, 4:8] = 0.3
    fractional = {"fractional_type": "PROBABILITY", "max_fractional_value": maximum}
    result = segmentation(images, mask, "FRACTIONAL", [1], **fractional)
    result.save_as("segmentation.dcm")
    Path(str(maximum)).mkdir()
    options = ["--inputDICOM", "segmentation.dcm", "--outputDirectory", str(maximum), "--outputType", "nrrd"]
    subprocess.run([tool, *options], check=True, capture_output=True)
    image = sitk.ReadImage(f"{maximum}/1.nrrd")
    described = str(maximum) in (Path(str(maximum)) / "meta.json").read_text()
    seen[maximum] = image.GetPixelIDTypeAsString(), int(sitk.GetArrayFromImage(image).max()), described
    by_highdicom = float(result.get_volume().array.max())
    print(f"0.3, stored of {maximum}: dcmqi {seen[maximum][1]}, {seen[maximum][0]}; maximum in its JSON: ", end="")
    print(f"{described}; highdicom {by_highdicom:.3f}")
raise SystemExit(seen != {255: ("16-bit signed integer", 76, False), 100: ("16-bit signed integer", 30, False)})
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
