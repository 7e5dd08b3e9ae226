#!/usr/bin/env bash
# Serves the bundles by MONAI Label, to this machine alone, and to those who have the token.
# Usage: scripts/monailabel.sh STUDIES [TASK] [APP] [PORT]
#   STUDIES  a folder of images, or the address of a DICOMweb server
#   TASK     lung, skin or cardiac; without it, all of them
# The environment variable S3NET_LABEL_TOKEN sets the token; without it, every start has another one.
set -euo pipefail
studies="${1:?give a folder of images or the address of a DICOMweb server, such as STUDIES=/data/pictures}"
app="${3:-monailabel_output}"
port="${4:-8000}"
# In the environment, where other users do not see it, and not among the arguments, where they would.
S3NET_LABEL_TOKEN=$(python -m s3net_monai.monailabel.token)
export S3NET_LABEL_TOKEN
bundles=$(python -m s3net_monai.monailabel.served "$app" ${2:+"$2"})

echo "MONAI Label serves $bundles. The server address for 3D Slicer, with the token of this start:"
echo "  http://127.0.0.1:$port/$S3NET_LABEL_TOKEN"
# Neither the model zoo nor the weights of SAM are asked for: the server needs no network.
exec python -m monailabel.main start_server --app "$app" --studies "$studies" --host 127.0.0.1 --port "$port" \
  --uvicorn_app s3net_monai.monailabel.asgi:app --conf models "$bundles" --conf zoo_source local --conf sam2 false
