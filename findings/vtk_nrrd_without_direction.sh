#!/usr/bin/env bash
# VTK 9.7.2, and PyVista on it: vtkNrrdReader keeps the origin of an NRRD file and drops its directions. The same image as
# MetaImage keeps both. An oblique mask is drawn unturned from its corner; one whose columns or rows run against the axes
# of LPS, which a converter from NIfTI readily writes, lies on the other side of its first voxel.
#
# Guessed: the directions are read, as from MetaImage.
# Installs VTK into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet vtk==9.7.2
cat >"$folder/show.py" <<'PYTHON'
from pathlib import Path

from vtkmodules.vtkIOImage import vtkMetaImageReader, vtkNrrdReader

voxels = bytes(10 * 12 * 6)
nrrd = """NRRD0004
type: uint8
dimension: 3
sizes: 10 12 6
encoding: raw
space: left-posterior-superior
space directions: (-2,0,0) (0,-3,0) (0,0,4)
space origin: (10,20,30)
kinds: domain domain domain

"""
meta_image = """ObjectType = Image
NDims = 3
DimSize = 10 12 6
BinaryData = True
TransformMatrix = -1 0 0 0 -1 0 0 0 1
Offset = 10 20 30
ElementSpacing = 2 3 4
ElementType = MET_UCHAR
ElementDataFile = LOCAL
"""
seen = {}
for reader, name, header in ((vtkNrrdReader(), "mask.nrrd", nrrd), (vtkMetaImageReader(), "mask.mha", meta_image)):
    Path(name).write_bytes(header.encode() + voxels)
    reader.SetFileName(name)
    reader.Update()
    image = reader.GetOutput()
    corner = [0.0, 0.0, 0.0]
    image.TransformIndexToPhysicalPoint([9, 11, 5], corner)
    seen[name] = image.GetOrigin(), image.GetSpacing(), tuple(corner)
    print(f"{name}: origin {seen[name][0]}, spacing {seen[name][1]}, last voxel {seen[name][2]}")
print("right in both: last voxel (-8.0, -13.0, 50.0)")
expected = {
    "mask.nrrd": ((10.0, 20.0, 30.0), (2.0, 3.0, 4.0), (28.0, 53.0, 50.0)),
    "mask.mha": ((10.0, 20.0, 30.0), (2.0, 3.0, 4.0), (-8.0, -13.0, 50.0)),
}
raise SystemExit(seen != expected)
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
