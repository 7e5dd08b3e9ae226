#!/usr/bin/env bash
# SimpleITK 2.5.7: a text of two lines in the metadata, as DICOM comments have, is written into a .mha as it is. The second
# line then stands where MetaImage expects a field, and SimpleITK cannot read the file that it has just written without an
# error. The same image as NRRD comes back with its text.
#
# Guessed: the line end is escaped or left out, as in NRRD.
# Installs SimpleITK into a temporary folder; PYTHON names the interpreter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet --upgrade pip
"$folder/environment/bin/pip" install --quiet simpleitk==2.5.7
cat >"$folder/show.py" <<'PYTHON'
import SimpleITK

image = SimpleITK.Image(4, 4, 4, SimpleITK.sitkInt16)
image.SetMetaData("0020|4000", "no contrast\nbreath held")
read = {}
for name in ("text.mha", "text.nrrd"):
    SimpleITK.WriteImage(image, name)
    try:
        read[name] = SimpleITK.ReadImage(name).GetMetaData("0020|4000")
    except RuntimeError as error:
        read[name] = None
        print(f"{name}: not readable: {str(error).strip().splitlines()[-1][:100]}")
    else:
        print(f"{name}: {read[name]!r}")
raise SystemExit(not (read["text.mha"] is None and read["text.nrrd"] == "no contrast\nbreath held"))
PYTHON
cd "$folder"
"$folder/environment/bin/python" show.py
