"""``python -m benchmarks.speed.instructions``, that is ``make bench-check``: count instructions and compare them."""

from __future__ import annotations

import sys

from benchmarks.speed.instructions.check import main

sys.exit(main())
