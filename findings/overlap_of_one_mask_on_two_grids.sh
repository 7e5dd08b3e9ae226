#!/usr/bin/env bash
# seg-metrics 1.2.8 and Convert3D 1.4.6.0: the Dice of two mask files is counted voxel by voxel of their arrays, wherever
# the headers put them. One mask, stored once more with its columns in the other direction, as converters between LPS and
# RAS do, covers the same points and scores below 1, without a word.
#
# Guessed: 1, or a refusal, since both read the headers: seg-metrics for its distances, Convert3D for everything else.
# Installs both into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet seg-metrics==1.2.8 picsl_c3d==1.4.6.0 nibabel==5.4.2 numpy==2.4.6
cat >"$folder/show.py" <<'PYTHON'
import io

import nibabel
import numpy
from picsl_c3d import Convert3D
from seg_metrics import seg_metrics

mask = numpy.zeros((30, 26, 12), numpy.uint8)
mask[8:20, 6:18, 3:9] = 1
affine = numpy.diag([2.0, 2.0, 5.0, 1.0])
reverse = numpy.diag([-1.0, 1.0, 1.0, 1.0])
reverse[0, 3] = len(mask) - 1
nibabel.save(nibabel.Nifti1Image(mask, affine), "mask.nii.gz")
nibabel.save(nibabel.Nifti1Image(mask[::-1], affine @ reverse), "reversed.nii.gz")
points = [
    nibabel.affines.apply_affine(image.affine, numpy.argwhere(numpy.asarray(image.dataobj)))
    for image in map(nibabel.load, ("mask.nii.gz", "reversed.nii.gz"))
]
same = {tuple(point) for point in points[0]} == {tuple(point) for point in points[1]}
print(f"the same {len(points[0])} points in space: {same}")

scores = seg_metrics.write_metrics(labels=[1], gdth_path="mask.nii.gz", pred_path="reversed.nii.gz", metrics=["dice"])
first = float((scores[0] if isinstance(scores, list) else scores)["dice"][0])
out = io.StringIO()
Convert3D().execute("mask.nii.gz reversed.nii.gz -overlap 1", out=out)
second = float(out.getvalue().split(",")[4])
print(f"Dice by seg-metrics {first:.4f}, by Convert3D {second:.4f}; right: 1")
raise SystemExit(not (same and abs(first - 0.8333) < 1e-3 and abs(second - 0.8333) < 1e-3))
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
