"""Reading and preprocessing of a small chest CT."""

from __future__ import annotations

import tempfile
from pathlib import Path

from counted import counted
from small_ct import small_ct

from s3net_monai.inference.run.segmenter import read_case


def main() -> None:
    """Count one reading."""
    with tempfile.TemporaryDirectory() as folder:
        case, bundle = small_ct(Path(folder))
        counted(lambda: read_case(case, bundle))


if __name__ == "__main__":
    main()
