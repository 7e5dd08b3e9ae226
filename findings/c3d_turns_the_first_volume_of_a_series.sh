#!/usr/bin/env bash
# Convert3D 1.4.6.0 (picsl_c3d): of a NIfTI file with three volumes on an oblique grid it takes the first, keeps origin and
# voxel size, and replaces the directions by the axes, without a word. The same volume in a file of its own keeps them. So
# the first phase of a cine series that is cut out by c3d lies turned against the masks of its phases.
#
# Guessed: the first volume with its affine, or a refusal.
# Installs Convert3D and nibabel into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet picsl_c3d==1.4.6.0 nibabel==5.4.2 numpy==2.4.6
cat >"$folder/show.py" <<'PYTHON'
import math

import nibabel
import numpy
from picsl_c3d import Convert3D

turn = math.radians(20)
affine = numpy.eye(4)
affine[:2, :2] = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
affine[:3, :3] *= [2, 2.5, 4]
affine[:3, 3] = 5, 6, 7
volumes = numpy.zeros((6, 5, 4, 3), numpy.int16)
nibabel.save(nibabel.Nifti1Image(volumes[..., 0], affine), "one.nii.gz")
nibabel.save(nibabel.Nifti1Image(volumes, affine), "three.nii.gz")
written = {}
for name in ("one", "three"):
    Convert3D().execute(f"{name}.nii.gz -o {name}_c3d.nii.gz")
    image = nibabel.load(f"{name}_c3d.nii.gz")
    written[name] = image.affine
    print(f"{name}: shape {image.shape}\n{numpy.round(image.affine, 3)}")
print(f"right in both:\n{numpy.round(affine, 3)}")
axes = numpy.array([[-2, 0, 0, 5], [0, -2.5, 0, 6], [0, 0, 4, 7], [0, 0, 0, 1]])
as_before = numpy.allclose(written["one"], affine, atol=1e-4) and numpy.allclose(written["three"], axes, atol=1e-4)
raise SystemExit(not as_before)
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
