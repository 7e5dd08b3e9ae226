"""Safety: DICOM damaged in more than 1,000 ways gives a correct mask or a named refusal, and nothing else.

Every example is a run over a folder: discovery, reading, inference, writing, report. The expected masks come from slow,
plain code (``damage_reading``) that reads the damaged files. Damage that such a reader cannot notice, such as a flipped
bit in a pixel, is not an error of the program.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from benchmarks.faults.toy_bundle import toy_bundle
from s3net_monai.inference import Bundle, load_bundle
from tests.helpers.damage import Damaged, file_damage, raw_damage, truncation
from tests.helpers.damage_bases import (
    BASES,
    CHECKED,
    COMPRESSED,
    MARKERS,
    PLAIN,
    SERIES,
    VL_IMAGES,
    VOLUMES,
    Files,
    base,
)
from tests.helpers.damage_headers import (
    element_damage,
    geometry_damage,
    nested,
    pixel_description_damage,
    syntax_damage,
)
from tests.helpers.damage_oracle import judge

DICOM = (*SERIES, *VL_IMAGES, *COMPRESSED)
EXAMPLES: dict[str, tuple[int, SearchStrategy[Damaged]]] = {
    "bytes": (180, raw_damage((*SERIES, "VL image"))),
    "bytes of compressed objects": (120, raw_damage(COMPRESSED)),
    "cut at any byte": (150, truncation(DICOM)),
    "elements": (200, element_damage((*PLAIN, *COMPRESSED))),
    "description of the pixels": (120, pixel_description_damage((*PLAIN, *COMPRESSED))),
    "transfer syntax": (60, syntax_damage((*PLAIN, *COMPRESSED))),
    "place and rescale": (120, geometry_damage(("axial", "oblique", "enhanced"))),
    "files": (80, file_damage(DICOM)),
    "volumes": (80, raw_damage(VOLUMES)),
    "checked containers": (80, raw_damage(CHECKED)),
    "container of a disc": (40, raw_damage(("DICOMDIR",), only="DICOMDIR")),
    "containers cut at any byte": (50, truncation((*VOLUMES, *CHECKED))),
}
DICOM_KINDS = [kind for kind in EXAMPLES if "volume" not in kind and "container" not in kind]
# Where the file itself reveals every loss, a mask must be that of the undamaged files.
AS_IF_SOUND = ("cut at any byte", "checked containers", "containers cut at any byte")

Judge = Callable[[str, Files, "Files | None"], str]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    folder = tmp_path_factory.mktemp("bundles")
    return {
        task: load_bundle(task, toy_bundle(folder / f"toy_{task}", task), torch.device("cpu"))
        for task in ("lung", "skin")
    }


@pytest.fixture
def run(bundles: dict[str, Bundle], capfd: pytest.CaptureFixture[str]) -> Judge:
    """Judge files that were made from a named base, and what the run prints."""

    def judged(name: str, files: Files, sound: Files | None) -> str:
        for named in ("", "DICOMDIR") if "DICOMDIR" in files else ("",):
            with tempfile.TemporaryDirectory() as folder:
                bundle = bundles["skin" if name in VL_IMAGES else "lung"]
                outcome = judge(files, bundle, Path(folder), sound, [named])
        printed = "".join(capfd.readouterr())
        assert "Traceback" not in printed
        assert not any(marker in printed.lower() for marker in MARKERS)
        return outcome

    return judged


def sound(name: str) -> Files:
    """Return the files that a mask of this base is made from."""
    return base("axial" if name == "zip" else name)


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXAMPLES)
def test_damage_gives_a_correct_mask_or_a_named_refusal(kind: str, run: Judge) -> None:
    count, strategy = EXAMPLES[kind]
    outcomes: Counter[str] = Counter()

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],  # a shrunk file explains no more, and shrinking takes minutes
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def judge_example(damaged: Damaged) -> None:
        description, files = damaged
        name = description.partition(":")[0]
        outcomes[run(name, files, sound(name) if kind in AS_IF_SOUND else None)] += 1

    judge_example()
    assert outcomes.total() >= count
    assert outcomes["refused"] > 0
    assert outcomes["ok"] > 0 or "cut" in kind


@pytest.mark.parametrize("keyword", ["SharedFunctionalGroupsSequence", "ContentSequence"])
@pytest.mark.parametrize("undefined", [False, True])
def test_deeply_nested_sequences(keyword: str, undefined: bool, run: Judge) -> None:
    files = base("axial")
    damaged = {**files, "1.dcm": nested(files["1.dcm"], keyword, 1000, undefined)}
    # No reader opens a sequence of known length that does not describe the image.
    harmless = keyword == "ContentSequence" and not undefined
    assert run("axial", damaged, None) == ("ok" if harmless else "refused")


def test_the_examples_number_a_thousand() -> None:
    assert sum(EXAMPLES[kind][0] for kind in DICOM_KINDS) >= 1000


@pytest.mark.parametrize("name", BASES)
def test_sound_files_give_their_mask(name: str, run: Judge) -> None:
    assert run(name, base(name), None if name == "DICOMDIR" else sound(name)) == "ok"


def test_the_oracle_notices_a_wrong_mask(run: Judge) -> None:
    files = base("axial")
    offset = len(files["1.dcm"]) - 40
    stored = np.frombuffer(files["1.dcm"][offset : offset + 2], "<u2")
    flipped = (1247 - stored).astype("<u2").tobytes()  # on the other side of the threshold
    damaged = {**files, "1.dcm": files["1.dcm"][:offset] + flipped + files["1.dcm"][offset + 2 :]}
    assert run("axial", damaged, None) == "ok"
    with pytest.raises(AssertionError, match="a wrong mask"):
        run("axial", damaged, files)
