#!/usr/bin/env bash
# Serves the bundles by MONAI Label, to this machine alone.
# Usage: scripts/monailabel.sh STUDIES [TASK] [APP] [PORT]
#   STUDIES  a folder of images, or the address of a DICOMweb server
#   TASK     lung, skin or cardiac; without it, all of them
set -euo pipefail
studies="${1:?give a folder of images or the address of a DICOMweb server, such as STUDIES=/data/pictures}"
app="${3:-monailabel_output}"
port="${4:-8000}"
bundles=$(python -m s3net_monai.monailabel.served "$app" ${2:+"$2"})

echo "MONAI Label: http://127.0.0.1:$port serves $bundles"
# Neither the model zoo nor the weights of SAM are asked for: the server needs no network.
exec python -m monailabel.main start_server --app "$app" --studies "$studies" --host 127.0.0.1 --port "$port" \
  --conf models "$bundles" --conf zoo_source local --conf sam2 false
