"""``python -m s3net_monai``: the same program as ``s3net``."""

import sys

from s3net_monai.cli import main

sys.exit(main())
