"""An oracle for damaged input: slow plain code that reads the files as they are, and the permitted results of a run."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import logging
import math
import re
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from PIL import Image
from pydicom import dcmread

from s3net_monai.inference import Bundle, Case, Settings, UsageError, find_cases, run_batch
from tests.helpers.damage_bases import MARKERS, Files
from tests.helpers.damage_reading import HU, Slice, foreground, read_slices, read_volume, red_mask

MAX_SECONDS = 20  # an example takes a tenth of one
THRESHOLD = {"lung": -400.5, "skin": 127.5}  # of the toy bundles of conftest
FORMATS = {"lung": ("nifti", "dicomseg"), "skin": ("png", "dicomseg")}
MAX_REASON_LENGTH = 410
# Messages of Python and its libraries for errors that nobody foresaw.
UNNAMED = re.compile(
    "|".join(
        [
            r"\b\w+(Error|Exception)\b|\b(Error|Exception):|StopIteration|Traceback|codec can't|0x[0-9a-f]{6}|\bnan\b",
            "NoneType|has no attribute|index out of|is not iterable|unsupported operand|invalid literal for",
            "not subscriptable|unpack requires|could not convert",
        ]
    )
)


class HangError(BaseException):
    """A hang; not an ``Exception``, which a run would turn into a reason."""


def judge(files: Files, bundle: Bundle, folder: Path, sound: Files | None = None, inputs: Sequence[str] = ("",)) -> str:
    """Segment damaged files and check the result: "ok" or "refused".

    Args:
        files: by path below the input folder.
        bundle: a toy bundle of conftest.
        folder: empty.
        sound: the files whose mask is expected, whatever the damage; without it, the damaged files as they are.
        inputs: that the user names, below the input folder.
    """
    root, output, truth = folder / "scan", folder / "out", folder / ("sound" if sound else "scan")
    _save(files, root)
    _save(sound or {}, truth)
    with _guarded(), _as_the_command_line_does() as records:
        try:
            discovery = find_cases([root / name for name in inputs], output, unpack_to=folder / "unpacked")
        except UsageError as error:
            check_reason(str(error), "")
            return "refused"
        settings = Settings(formats=FORMATS[bundle.task.name], workers=0)
        run_batch(discovery.cases, bundle, output, settings=settings, excluded=discovery.excluded)
    report = json.loads((output / "report.json").read_text(encoding="utf-8"))
    _check_privacy(output, records)
    for entry, case in zip(report["cases"], discovery.cases, strict=True):
        for text in [entry["reason"] or "", *entry["warnings"]]:
            check_reason(text, case.input.name if entry["status"] == "failed" else "")
        if entry["status"] == "failed":
            assert entry["reason"]
            assert not entry["outputs"]
            assert not list(output.glob(f"{entry['case_id']}_*")), "a failed case has left files"
        else:
            assert entry["status"] == "ok"
            images = sorted(truth.iterdir()) if sound else case.image
            check_masks(entry, images, bundle.task.name, output)
    if "" in inputs:
        _check_account(report, discovery.cases, root, discovery.ignored)
    return "ok" if any(entry["status"] == "ok" for entry in report["cases"]) else "refused"


def _save(files: Files, folder: Path) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def check_reason(text: str, name: str) -> None:
    """Check that a reason is one line in words that names the input."""
    assert "\n" not in text
    assert text.isprintable(), repr(text)
    assert len(text) <= MAX_REASON_LENGTH
    assert not UNNAMED.search(text), text
    assert name in text, text
    assert not any(marker in text.lower() for marker in MARKERS), text


def check_masks(entry: dict[str, Any], images: Sequence[Path], task: str, output: Path) -> None:
    """Check every mask of one case against the oracle."""
    if images[0].suffix in (".nrrd", ".mha", ".nii", ".gz"):
        check_volume(entry, images[0], output)
        return
    if task == "skin":
        expected = red_mask(images[0])
        written = np.asarray(Image.open(output / entry["outputs"]["png"])).T > 0
        _compare(written, expected)
        if "dicomseg" in entry["outputs"]:
            seg = dcmread(output / entry["outputs"]["dicomseg"])
            assert (seg.Columns, seg.Rows) == expected.shape
            _compare(_seg_frames(seg)[0][0].T, expected)
        return
    slices = [slice_ for path in images for slice_ in read_slices(path)]
    num_set_aside = sum(int(word) for text in entry["warnings"] for word in re.findall(r"^(\d+) .* set aside", text))
    normal = np.cross(slices[0].row, slices[0].column)
    slices.sort(key=lambda slice_: float(slice_.position @ normal))
    image: Any = nib.load(output / entry["outputs"]["nifti"])
    mask = np.asarray(image.dataobj)
    assert mask.shape[2] == len(slices) - num_set_aside
    if num_set_aside:  # the tests of the reader check which they are
        return
    step = float(np.linalg.norm(image.affine[:3, 2]))
    for z, slice_ in enumerate(slices):
        expected = foreground(slice_)
        _compare(mask[:, :, z], expected)
        # Corners of the slice according to its own header, within the tolerance of the reader.
        for x, y in ((0, 0), (mask.shape[0] - 1, 0), (0, mask.shape[1] - 1)):
            position = slice_.position + slice_.row * slice_.spacing[1] * x + slice_.column * slice_.spacing[0] * y
            corner = (image.affine @ [x, y, z, 1])[:3] * [-1, -1, 1]
            assert np.linalg.norm(corner - position) < 0.15 + 0.1 * step, (z, corner, position)
    volume = float((mask > 0).sum() * abs(np.linalg.det(image.affine[:3, :3])) / 1000)
    assert math.isclose(entry["measures"]["volume_ml"], volume, rel_tol=1e-3, abs_tol=6e-4), entry["measures"]
    if "dicomseg" in entry["outputs"]:
        _check_seg(dcmread(output / entry["outputs"]["dicomseg"]), slices)


def check_volume(entry: dict[str, Any], path: Path, output: Path) -> None:
    """Check the mask of a volume against its thresholded values and its affine."""
    values, affine = read_volume(path)
    image: Any = nib.load(output / entry["outputs"]["nifti"])
    np.testing.assert_allclose(image.affine, affine, atol=1e-3, rtol=1e-5)
    expected = (values < HU).astype(float)
    expected[~np.isfinite(values)] = np.nan
    _compare(np.asarray(image.dataobj), expected)


def _check_seg(seg: Any, slices: list[Slice]) -> None:
    """Check that frames lie on the slices and hold their foreground, and that slices without a frame have none."""
    remaining = dict(enumerate(slices))
    shared = seg.SharedFunctionalGroupsSequence[0]
    spacing = [float(value) for value in shared.PixelMeasuresSequence[0].PixelSpacing]
    assert np.allclose(spacing, slices[0].spacing, atol=2e-3)
    for frame, position in _seg_frames(seg):
        index = min(remaining, key=lambda i: float(np.linalg.norm(remaining[i].position - position)))
        slice_ = remaining.pop(index)
        assert np.linalg.norm(slice_.position - position) < 1e-3, (position, slice_.position)
        _compare(frame.T, foreground(slice_))
    for slice_ in remaining.values():
        assert not np.nansum(foreground(slice_))


def _seg_frames(seg: Any) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """Return the bits (rows, columns) and the position of every frame of a binary SEG."""
    bits = np.unpackbits(np.frombuffer(seg.PixelData, np.uint8), bitorder="little")
    size = seg.Rows * seg.Columns
    frames = []
    for index in range(int(seg.NumberOfFrames)):
        group = seg.PerFrameFunctionalGroupsSequence[index]
        position = None
        if "PlanePositionSequence" in group:
            position = np.array([float(value) for value in group.PlanePositionSequence[0].ImagePositionPatient])
        frames.append((bits[index * size : (index + 1) * size].reshape(seg.Rows, seg.Columns), position))
    return frames


def _compare(mask: np.ndarray, expected: np.ndarray) -> None:
    """Compare with ``expected`` (columns, rows): 1, 0, or NaN where rounding decides."""
    assert mask.shape == expected.shape
    decided = ~np.isnan(expected)
    assert np.array_equal(mask[decided] > 0, expected[decided] > 0), "a wrong mask"


def _check_privacy(output: Path, records: list[logging.LogRecord]) -> None:
    texts = [str(path.relative_to(output)) for path in output.rglob("*")]
    texts += [(output / name).read_text(encoding="utf-8") for name in ("report.json", "report.html")]
    texts += [record.getMessage() for record in records]
    for text in texts:
        leaks = [text[max(text.lower().find(marker) - 60, 0) :][:120] for marker in MARKERS if marker in text.lower()]
        assert not leaks, f"an identifier in names, report or log: {leaks}"
        assert "Traceback" not in text, text[-3000:]


def _check_account(report: dict[str, Any], cases: Sequence[Case], root: Path, ignored: int) -> None:
    """Check that every file belongs to a case, or is reported as excluded or ignored."""
    used = {path for case in cases for path in case.image}
    unseen = {path for path in root.rglob("*") if path.is_file() and path.suffix != ".zip" and path.name != "DICOMDIR"}
    assert len(unseen - used) <= ignored + len(report["excluded"])


@contextlib.contextmanager
def _guarded() -> Iterator[None]:
    """Fail an example that hangs; one that hangs inside a library ends the process with all its stacks."""

    def fail(*_: Any) -> None:
        raise HangError(f"more than {MAX_SECONDS} s")

    previous = signal.signal(signal.SIGALRM, fail)
    signal.alarm(MAX_SECONDS)
    faulthandler.dump_traceback_later(3 * MAX_SECONDS, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


@contextlib.contextmanager
def _as_the_command_line_does() -> Iterator[list[logging.LogRecord]]:
    """Silence warnings and the loggers of three libraries, as the command line does; record all other logs."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = records.append  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    levels = {name: logging.getLogger(name).level for name in ("monai", "highdicom", "pydicom")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield records
    finally:
        logging.getLogger().removeHandler(handler)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
