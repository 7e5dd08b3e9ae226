"""MONAI Label's web application behind ``RestrictAccess``, for uvicorn."""

from __future__ import annotations

import os

from monailabel.app import app as unrestricted

from s3net_monai.monailabel.access import RestrictAccess
from s3net_monai.monailabel.token import VARIABLE

app = RestrictAccess(unrestricted, os.environ.get(VARIABLE, ""))
