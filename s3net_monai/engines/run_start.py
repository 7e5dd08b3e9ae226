"""The first step of every bundle's workflow: what can be refused before anything is read."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from s3net_monai.engines.config_keys import check_config_keys
from s3net_monai.engines.error_lines import report_errors_in_one_line
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.output_paths import check_output_folder
from s3net_monai.utils.printing import get_logger, make_log_visible, print_warnings

_COMMAND = "monai.bundle.__main__"
logger = get_logger(__name__)


def begin_run(bundle_root: str | Path, *folders: str | Path) -> None:
    """Check how ``python -m monai.bundle run`` was called, and have errors for users printed as one line.

    MONAI merges any key of the command line into the config, and prints the cause of an error above fifty lines of
    traceback. In a Python program, of which this is a part only, the folders alone are checked.

    Args:
        bundle_root: folder of the bundle.
        folders: those that the run will write to, maybe not before hours have passed.

    Raises:
        UsageError: for a key that no config has or that this run does not use, a bundle_root that is no folder, and a
            folder that cannot be written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     begin_run(folder, f"{folder}/eval")
        >>> begin_run("no_such_bundle")
        Traceback (most recent call last):
        s3net_monai.utils.errors.UsageError: bundle_root 'no_such_bundle': no such folder; give the folder of the bundle
    """
    if is_monai_command():
        report_errors_in_one_line()
        print_warnings()
        make_log_visible()
        # MONAI builds a reader for NVIDIA's codecs with every LoadImage, and warns that there are none.
        warnings.filterwarnings("ignore", message="NvImgCodecPydicomReader")
        check_config_keys(sys.argv[1:])
    if not Path(bundle_root).is_dir():
        raise UsageError(f"bundle_root {str(bundle_root)!r}: no such folder; give the folder of the bundle")
    for folder in folders:
        check_output_folder(Path(folder))
        _warn_of_masks(Path(folder))


def is_monai_command() -> bool:
    """Return whether this process is ``python -m monai.bundle``."""
    return getattr(getattr(sys.modules.get("__main__"), "__spec__", None), "name", None) == _COMMAND


def _warn_of_masks(folder: Path) -> None:
    """Say before a run that it overwrites masks of an earlier one, as MONAI's writer does without a word."""
    masks = sorted(path.name for path in folder.glob("*_seg.*") if not path.name.startswith("."))
    if masks:
        logger.warning(
            "%s: %d masks are there already (%s, ...); those of the same cases will be overwritten",
            folder.name,
            len(masks),
            masks[0],
        )
