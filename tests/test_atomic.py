"""What a killed run leaves beside its results is removed, and nothing else."""

from __future__ import annotations

from pathlib import Path

from s3net_monai.utils.atomic import PARTIAL, remove_partial


def test_partial_files_and_folders_are_removed(tmp_path: Path) -> None:
    (tmp_path / f"{PARTIAL}1-a.nii.gz").write_bytes(b"half")
    (tmp_path / f"{PARTIAL}2-a.pt").mkdir()
    (tmp_path / f"{PARTIAL}2-a.pt" / "a.pt").write_bytes(b"half")
    (tmp_path / "a.nii.gz").write_bytes(b"whole")
    remove_partial(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii.gz"]
