#!/usr/bin/env bash
# SimpleITK 2.5.7 (ITK 5.4) and nibabel 5.4.2 on a NIfTI whose qform and sform differ, both with a code above 0, as after a
# registration that wrote its result into one of them. ITK takes the sform where its code is 1 (scanner), whatever the
# qform's code, and else the qform; nibabel always takes the sform. With sform_code 1 both put the image in one place; with
# 2 (aligned), nibabel's own default, to 5 they part. A code that reads as a remark thus moves the image in ITK.
#
# Guessed: ITK takes the qform whenever its code is above 0.
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

by_qform, by_sform = np.diag([1.0, 1.0, 2.0, 1.0]), np.diag([1.0, 1.0, 2.0, 1.0])
by_sform[2, 3] = 40.0
taken = {0.0: "qform", 40.0: "sform"}
seen = {}
for qform_code in range(1, 6):
    for sform_code in range(1, 6):
        image = nib.Nifti1Image(np.zeros((4, 5, 6), np.uint8), None)
        image.set_qform(by_qform, qform_code)
        image.set_sform(by_sform, sform_code)
        nib.save(image, "image.nii")
        by_itk = taken[sitk.ReadImage("image.nii").GetOrigin()[2]]
        seen[qform_code, sform_code] = by_itk, taken[float(nib.load("image.nii").affine[2, 3])]
for sform_code in range(1, 6):
    choices = {seen[qform_code, sform_code] for qform_code in range(1, 6)}
    print(f"sform_code {sform_code}, qform_code 1 to 5: (ITK, nibabel) take {sorted(choices)}")
expected = {codes: ("sform" if codes[1] == 1 else "qform", "sform") for codes in seen}
raise SystemExit(seen != expected)
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
