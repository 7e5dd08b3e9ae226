"""Which checkpoint a training goes on from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from monai.bundle import ConfigParser

from s3net_monai.engines import latest_checkpoint


def written(folder: Path, name: str, time: int) -> None:
    (folder / name).write_bytes(b"")
    os.utime(folder / name, (time, time))


def test_newest_by_time_not_by_name(tmp_path: Path) -> None:
    for name, time in (("checkpoint_epoch=9.pt", 100), ("checkpoint_epoch=10.pt", 300), ("checkpoint_epoch=2.pt", 200)):
        written(tmp_path, name, time)
    written(tmp_path, "model.pt", 900)  # the weights alone: nothing to go on from
    written(tmp_path, "checkpoint_epoch=11.pt.part", 900)
    assert latest_checkpoint(tmp_path) == str(tmp_path / "checkpoint_epoch=10.pt")
    assert latest_checkpoint(str(tmp_path)) == latest_checkpoint(tmp_path)


def test_from_a_config(tmp_path: Path) -> None:
    written(tmp_path, "checkpoint_epoch=1.pt", 100)
    config = {"_target_": "s3net_monai.engines.latest_checkpoint", "folder": str(tmp_path)}
    assert ConfigParser({"path": config}).get_parsed_content("path") == str(tmp_path / "checkpoint_epoch=1.pt")


@pytest.mark.parametrize("name", ["", "missing"])
def test_nothing_to_resume_from_names_the_folder_and_the_remedy(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError) as refusal:
        latest_checkpoint(tmp_path / name)
    expected = "no checkpoint*.pt to resume from; start without resume, or set ckpt_dir"
    assert str(refusal.value) == f"{tmp_path / name}: {expected}"
