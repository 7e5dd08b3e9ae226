#!/usr/bin/env bash
# nibabel 5.4.2: img.slicer with a start that counts from the end, or with a negative step, gives the right voxels and a
# wrong affine. The last three slices ([:, :, -3:]) lie below the image instead of at its top; a volume turned by
# [:, :, ::-1] hangs down from its old first slice, mirrored at it. A start counted from the front is right, with any
# step. Whoever crops a scan or its mask that way before saving it moves it by up to its whole extent, silently.
#
# Guessed: the affine follows any slice, as it follows [2:] and [::2].
# Installs nibabel into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet nibabel==5.4.2 numpy==2.4.6
cat >"$folder/show.py" <<'PYTHON'
import nibabel as nib
import numpy as np

image = nib.Nifti1Image(np.zeros((4, 4, 10), np.uint8), np.diag([1.0, 1.0, 2.5, 1.0]))
expected = {"7:": (17.5, 17.5), "-3:": (-7.5, 17.5), "::-1": (0.0, 22.5), "9::-1": (22.5, 22.5)}
seen = {}
for text in expected:
    cut = slice(*(int(part) if part else None for part in text.split(":")))
    first = range(10)[cut][0]
    seen[text] = (float(image.slicer[:, :, cut].affine[2, 3]), 2.5 * first)
    print(f"slicer[:, :, {text}]: starts with slice {first}, at {seen[text][1]} mm; the affine says {seen[text][0]} mm")
raise SystemExit(seen != expected)
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
