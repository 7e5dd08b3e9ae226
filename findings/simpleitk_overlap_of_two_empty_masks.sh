#!/usr/bin/env bash
# SimpleITK 2.5.7: LabelOverlapMeasuresImageFilter gives two empty masks a Dice coefficient of infinity, and a volume
# similarity and false negative error of 1.8e308, the largest number there is. A false negative error of that size also
# comes where only the reference has nothing. One empty case makes the mean of a whole evaluation infinite.
#
# Guessed: 0 or NaN.
# Installs SimpleITK into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet SimpleITK==2.5.7
cat >"$folder/show.py" <<'PYTHON'
import math
import sys

import SimpleITK as sitk

empty = sitk.Image(4, 4, 4, sitk.sitkUInt8)
filled = empty + 0
filled[1, 1, 1] = 1
seen = {}
for name, pair in (("both empty", (empty, empty)), ("one empty", (filled, empty)), ("same", (filled, filled))):
    measures = sitk.LabelOverlapMeasuresImageFilter()
    measures.Execute(*pair)
    seen[name] = measures.GetDiceCoefficient(), measures.GetVolumeSimilarity(), measures.GetFalseNegativeError()
    dice, similarity, missed = seen[name]
    print(f"{name}: Dice {dice:g}, volume similarity {similarity:g}, false negative error {missed:g}")
largest = sys.float_info.max
expected = {"both empty": (math.inf, largest, largest), "one empty": (0.0, 2.0, largest), "same": (1.0, 0.0, 0.0)}
raise SystemExit(seen != expected)
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
