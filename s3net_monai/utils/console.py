"""What a command line program writes to standard error beside its own messages."""

from __future__ import annotations

import logging
import sys
import warnings

NOISY_LOGGERS = ("monai", "highdicom", "pydicom")


def log_to_stderr() -> None:
    """Send log messages to standard error: warnings of this package, errors of others, nothing of the noisy ones."""
    # Libraries warn about every odd header, value included: noise, and a way for names into logs.
    warnings.simplefilter("ignore")
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR, format="%(levelname)s: %(message)s")
    logging.getLogger("s3net_monai").setLevel(logging.WARNING)
    logging.getLogger("s3net_monai.transforms.notes").setLevel(logging.ERROR)  # the report has them
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
