#!/usr/bin/env bash
# SimpleITK 2.5.7 (ITK 5.4) cannot open a 2-D NIfTI image that is not axial. ITK takes the upper left two by two numbers of
# the direction, whose determinant is 0 for a coronal or sagittal plane, and refuses the file. The axial one opens, and
# all three open once they have a third axis of length 1. nibabel reads and writes all of them without a word.
#
# Guessed: a 2-D image of any plane opens, with a 2-D direction.
# Installs SimpleITK and nibabel into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet SimpleITK==2.5.7 nibabel==5.4.2 numpy==2.4.6
cat >"$folder/show.py" <<'PYTHON'
import nibabel as nib
import numpy as np
import SimpleITK as sitk

planes = {"axial": ([1, 0, 0], [0, 1, 0]), "coronal": ([1, 0, 0], [0, 0, 1]), "sagittal": ([0, 1, 0], [0, 0, 1])}
seen = {}
for plane, axes in planes.items():
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([*axes, np.cross(*axes)])
    for shape in ((8, 9), (8, 9, 1)):
        nib.save(nib.Nifti1Image(np.zeros(shape, np.uint8), affine), "image.nii")
        try:
            sitk.ReadImage("image.nii")
            seen[plane, len(shape)] = "opens"
        except RuntimeError as error:
            seen[plane, len(shape)] = "determinant is 0" if "determinant is 0" in str(error) else str(error)
        print(f"{plane}, {len(shape)}-D: {seen[plane, len(shape)]}")
refused = {key for key, result in seen.items() if result == "determinant is 0"}
raise SystemExit(refused != {("coronal", 2), ("sagittal", 2)} or set(seen.values()) != {"opens", "determinant is 0"})
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
