"""Where the checkout and the real data lie."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUNDLES = ROOT / "bundle"
CARDIAC_BUNDLE = BUNDLES / "cardiac_mr_segmentation"
REAL_DATA = Path(os.environ.get("S3NET_DATA", ROOT.parent / "shared" / "data"))
