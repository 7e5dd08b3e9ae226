"""Shards of one run share a folder and a report; whatever does not belong to their run is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from s3net_monai.inference import Bundle, UsageError
from s3net_monai.inference.run import batch, segment_loaded
from tests.helpers.small_runs import run, write_volume


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "abcd":
        write_volume(folder / f"{name}.nii.gz")
    return folder


def results(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(".lock")}


def entries(report: dict[str, Any]) -> list[str]:
    return [case["case_id"] for case in report["cases"]]


def test_shards_do_not_stop_each_other_but_themselves(volumes: Path, bundle: Bundle, output: Path) -> None:
    run(volumes, bundle, output, shard=(2, 2))
    report = run(volumes, bundle, output, shard=(1, 2))
    assert report["summary"]["ok"] == 4
    assert entries(report) == list("abcd")  # in the order of a whole run, whichever shard was first
    with pytest.raises(UsageError, match=r"masks are there already \(b_seg\.nii\.gz, d_seg\.nii\.gz\)"):
        run(volumes, bundle, output, shard=(2, 2))
    assert run(volumes, bundle, output, shard=(2, 2), resume=True)["summary"]["complete"] == 2


OTHER: dict[str, tuple[dict[str, Any], str]] = {
    "count": ({"shard": (2, 3)}, "number of shards (2 there, 3 here)"),
    "formats": ({"formats": ("nifti", "segnrrd")}, "--formats (none there, nifti,segnrrd here)"),
    "allow": ({"allow": ("tilt",)}, "--allow (none there, tilt here)"),
    "mode": ({"mode": "per-image"}, "--mode (amortized there, per-image here)"),
    "model": ({"sha256": "other"}, "weights other"),
    "inputs": ({"inputs": 5}, "inputs (4 cases there, 5 here)"),
}


def run_other(volumes: Path, bundle: Bundle, output: Path, change: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """Run the second shard with a change of ``OTHER``."""
    change = {"shard": (2, 2), **settings, **change}
    if "inputs" in change:
        write_volume(volumes / "e.nii.gz")
    model = {key: value for key, value in change.items() if key == "sha256"}
    chosen = {key: value for key, value in change.items() if key not in ("sha256", "inputs")}
    return run(volumes, replace(bundle, **model), output, **chosen)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("name", OTHER)
def test_a_shard_with_other_settings_is_refused_and_no_entry_is_lost(
    volumes: Path, bundle: Bundle, output: Path, name: str, resume: bool
) -> None:
    run(volumes, bundle, output, shard=(1, 2))
    before = results(output)
    change, problem = OTHER[name]
    with pytest.raises(UsageError) as caught:
        run_other(volumes, bundle, output, change, resume=resume)
    assert problem in str(caught.value)
    assert "begin a new run with --overwrite" in str(caught.value)
    assert str(caught.value).count("(") == 1  # nothing else differs
    assert results(output) == before


@pytest.mark.parametrize("name", [*OTHER, "same shard"])
def test_a_shard_with_other_settings_is_refused_beside_one_that_runs(
    volumes: Path, bundle: Bundle, output: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Even with --overwrite, and before the first has written a mask."""
    change = {"shard": (1, 2)} if name == "same shard" else OTHER[name][0]
    refusals: list[str] = []

    def start_the_other(sample: dict[str, Any], own: Bundle) -> Any:
        if not refusals:
            refusals.append("")
            try:
                run_other(volumes, bundle, output, change, overwrite=True)
            except UsageError as error:
                refusals[0] = str(error)
        return original(sample, own)

    original = segment_loaded.infer_sample
    monkeypatch.setattr(segment_loaded, "infer_sample", start_the_other)
    report = run(volumes, bundle, output, shard=(1, 2))
    assert refusals[0].startswith(f"{output}: ")
    assert "wait for" in refusals[0]
    assert (report["model"]["sha256"], entries(report)) == (bundle.sha256, ["a", "c"])


@pytest.mark.parametrize("name", OTHER)
def test_a_new_run_of_shards_may_replace_the_earlier_one(
    volumes: Path, bundle: Bundle, output: Path, name: str
) -> None:
    run(volumes, bundle, output, shard=(1, 2))
    change = OTHER[name][0]
    count = change.get("shard", (2, 2))[1]
    for number in range(1, count + 1):
        report = run_other(volumes, bundle, output, {**change, "shard": (number, count)}, overwrite=True)
    assert report["summary"]["ok"] == len(list(volumes.iterdir()))


def test_a_whole_run_continues_shards_and_shards_a_whole_run(volumes: Path, bundle: Bundle, output: Path) -> None:
    run(volumes, bundle, output, shard=(1, 2))
    report = run(volumes, bundle, output, resume=True)
    assert {case["case_id"]: case["status"] for case in report["cases"]} == {
        "a": "complete",
        "b": "ok",
        "c": "complete",
        "d": "ok",
    }
    assert report["run"]["shards"] == 1
    report = run(volumes, bundle, output, shard=(1, 3), resume=True)
    assert (report["run"]["shards"], entries(report)) == (3, list("abcd"))


def test_the_run_of_shards_that_left_no_entry_stops_nobody(
    volumes: Path, bundle: Bundle, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("as a kill")

    with monkeypatch.context() as patch:
        patch.setattr(batch, "_run", fail)
        with pytest.raises(RuntimeError, match="as a kill"):
            run(volumes, bundle, output, shard=(1, 2))
    assert run(volumes, bundle, output, shard=(2, 3))["summary"]["ok"] == 1
