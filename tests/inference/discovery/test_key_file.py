"""The private table that undoes pseudonyms."""

from __future__ import annotations

import csv
import json
import os
import re
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from s3net_monai.cli import main
from s3net_monai.inference import UsageError, find_cases
from s3net_monai.inference.discovery.key_file import (
    COLUMNS,
    check_key,
    pseudonyms_of_key,
    read_originals,
    write_key,
)
from tests.helpers.identifying_headers import without_digests


def rows(path: Path, kind: str = "case") -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["kind"] == kind]


@pytest.fixture
def patients(series_maker: Callable[..., Any], tmp_path: Path) -> Path:
    """Two series, each in a folder named after its patient."""
    for name in ("Doe^Jane", "Roe^Richard"):
        series = series_maker(np.zeros((3, 4, 5), dtype=np.uint16))
        for dataset in series.slices:
            dataset.PatientName, dataset.PatientID = name, f"ID-{name[:3]}-7788"
        series.save(tmp_path / "in" / name.replace("^", "_"))
    return tmp_path / "in"


def segment(source: Path, bundle: Path, output: Path, key: Path, *more: str) -> int:
    words = ["segment", str(source), "--task", "lung", "--bundle", str(bundle), "--output", str(output)]
    return main([*words, "--device", "cpu", "--workers", "0", "--key", str(key), *more])


def test_the_owner_finds_every_case_again_and_nobody_else(
    patients: Path, lung_bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    key, output = tmp_path / "private" / "key.csv", tmp_path / "out"
    key.parent.mkdir()
    previous = os.umask(0)  # the least careful one
    try:
        assert segment(patients, lung_bundle, output, key) == 0
    finally:
        os.umask(previous)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert sorted(path.name for path in key.parent.iterdir()) == [".key.csv.lock", "key.csv"]

    reported = {case["case_id"] for case in json.loads((output / "report.json").read_text())["cases"]}
    assert {row["case_id"] for row in rows(key)} == reported
    assert all(case_id.startswith("anon-") for case_id in reported)
    sources = {row["source"]: row for row in rows(key)}
    assert set(sources) == {str(patients / "Doe_Jane"), str(patients / "Roe_Richard")}
    assert sources[str(patients / "Doe_Jane")]["PatientID"] == "ID-Doe-7788"
    originals = {row["pseudonym"]: row["original"] for row in rows(key, "pseudonym")}
    assert {originals[case_id] for case_id in reported} == {"Doe_Jane", "Roe_Richard"}
    assert set(re.findall("anon-[0-9a-f]{12}", (output / "report.json").read_text())) <= set(originals)
    (secret,) = rows(key, "secret")
    assert re.fullmatch("[0-9a-f]{64}", secret["original"])

    printed = "".join(capfd.readouterr()) + "".join(path.read_text() for path in output.glob("report.*"))
    uids = [row["StudyInstanceUID"] for row in rows(key)]
    assert all(uids)
    assert secret["original"] not in printed
    assert not any(word in without_digests(printed) for word in ("Doe", "Roe", "7788", *uids))


def test_shards_and_resumed_runs_write_the_rows_of_all_cases(patients: Path, lung_bundle: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.csv"
    for more in (["--shard", "1/2"], ["--shard", "2/2"], ["--resume"]):
        assert segment(patients, lung_bundle, tmp_path / "out", key, *more) == 0
        assert len(rows(key)) == 2


def test_rows_of_other_runs_are_kept_and_the_file_is_closed_again(tmp_path: Path) -> None:
    key = tmp_path / "key.csv"
    for name in ("a", "b", "a"):
        Image.new("L", (3, 3)).save(tmp_path / f"{name}.png")
        write_key(key, find_cases([tmp_path / f"{name}.png"]).cases)
        key.chmod(0o644)
    write_key(key, ())
    assert [row["case_id"] for row in rows(key)] == ["b", "a"]
    source = str(tmp_path / "b.png")
    assert rows(key)[0] == {**dict.fromkeys(COLUMNS, ""), "kind": "case", "case_id": "b", "source": source}
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_the_source_of_a_study_from_a_server_is_its_uid(patients: Path, tmp_path: Path) -> None:
    write_key(tmp_path / "key.csv", find_cases([patients]).cases[:1], study="1.2.3")
    (row,) = rows(tmp_path / "key.csv")
    assert (row["source"], row["PatientID"]) == ("DICOMweb study 1.2.3", "ID-Doe-7788")


@pytest.mark.parametrize("name", ["out/key.csv", "out/deeper/../key.csv", "out"])
def test_a_key_among_the_masks_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "out")
    for path in (tmp_path / name, tmp_path / name.replace("out", "link")):
        with pytest.raises(UsageError, match="whoever gets the masks would get the names"):
            check_key(path, tmp_path / "out")


def test_folders_are_made_and_an_empty_file_is_taken(patients: Path, lung_bundle: Path, tmp_path: Path) -> None:
    key = tmp_path / "new" / "folder" / "key.csv"
    assert segment(patients, lung_bundle, tmp_path / "out", key) == 0
    assert len(rows(key)) == 2
    key.write_bytes(b"")
    assert segment(patients, lung_bundle, tmp_path / "out", key, "--overwrite") == 0
    assert len(rows(key)) == 2


def test_a_file_that_is_no_key_is_not_replaced(tmp_path: Path) -> None:
    other = tmp_path / "table.csv"
    other.write_text("name,age\nx,1\n")
    for check in (lambda: check_key(other, tmp_path / "out"), lambda: write_key(other, ())):
        with pytest.raises(UsageError, match=r"exists and is not the key of a run; give --key another path"):
            check()
    assert other.read_text() == "name,age\nx,1\n"


def test_a_key_is_checked_before_the_run(
    patients: Path, lung_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment(patients, lung_bundle, tmp_path / "out", tmp_path / "out" / "key.csv") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def case_ids(output: Path) -> set[str]:
    return {case["case_id"] for case in json.loads((output / "report.json").read_text())["cases"]}


def test_runs_that_share_a_key_share_their_pseudonyms_and_others_do_not(
    patients: Path, lung_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, key in (("a", "one"), ("b", "one"), ("c", "two")):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / f"state {name}"))  # as on another machine
        assert segment(patients, lung_bundle, tmp_path / name, tmp_path / f"{key}.csv") == 0
        assert not (tmp_path / f"state {name}").exists()
    assert case_ids(tmp_path / "a") == case_ids(tmp_path / "b")
    assert not case_ids(tmp_path / "a") & case_ids(tmp_path / "c")


@pytest.mark.parametrize("more", [["--resume"], ["--shard", "2/2"]], ids=["resume", "shard"])
def test_another_secret_is_refused_where_a_run_is_continued(
    patients: Path, lung_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    first = ["--shard", "1/2"] if "--shard" in more else []
    assert segment(patients, lung_bundle, tmp_path / "out", tmp_path / "one.csv", *first) == 0
    report = (tmp_path / "out" / "report.json").read_bytes()
    capsys.readouterr()
    assert segment(patients, lung_bundle, tmp_path / "out", tmp_path / "two.csv", *more) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "another secret for pseudonyms" in line
    assert "--key" in line
    assert (tmp_path / "out" / "report.json").read_bytes() == report
    assert segment(patients, lung_bundle, tmp_path / "out", tmp_path / "one.csv", *more) == 0
    assert len(case_ids(tmp_path / "out")) == 2


def test_a_key_of_an_earlier_version_gets_a_secret_and_keeps_its_rows(
    patients: Path, lung_bundle: Path, tmp_path: Path
) -> None:
    key = tmp_path / "key.csv"
    key.write_text("case_id,source,PatientID,StudyInstanceUID,SeriesInstanceUID\r\nanon-123456,/a,P1,1.2,1.3\r\n")
    assert segment(patients, lung_bundle, tmp_path / "out", key) == 0
    assert next(row["case_id"] for row in rows(key)) == "anon-123456"
    assert (len(rows(key)), len(rows(key, "secret"))) == (3, 1)


def test_the_pseudonyms_of_messages_are_in_the_key(patients: Path, lung_bundle: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.csv"
    files = sorted((patients / "Doe_Jane").iterdir())
    files[1].rename(files[1].with_name("roe_7788.dcm"))
    files[1].with_name("roe_7788.dcm").write_bytes(files[0].read_bytes()[:-1] + b"x")  # an unequal copy
    assert segment(patients, lung_bundle, tmp_path / "out", key) == 1
    report = (tmp_path / "out" / "report.json").read_text()
    assert "roe" not in report.lower()
    originals = read_originals(key)
    assert set(re.findall("anon-[0-9a-f]{12}", report)) <= set(originals)


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@a", "'x", "plain", "", 'a"b,c', "a\nb", "\udce9"])
def test_no_value_is_a_formula_and_all_are_read_back(tmp_path: Path, value: str) -> None:
    key = tmp_path / "key.csv"
    write_key(key, (), originals={"anon-0123456789ab": value})
    write_key(key, ())
    assert read_originals(key) == {"anon-0123456789ab": value}
    with key.open(newline="", errors="surrogateescape") as file:
        assert not any(cell.startswith(("=", "+", "-", "@")) for row in csv.reader(file) for cell in row)


def test_processes_that_make_a_secret_at_once_get_the_same(tmp_path: Path) -> None:
    key = tmp_path / "key.csv"
    with ThreadPoolExecutor(8) as pool:
        names = [pool.submit(pseudonyms_of_key(key).of, "a", "a") for _ in range(8)]
    assert len({name.result() for name in names}) == 1
    assert len(rows(key, "secret")) == 1
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["zz", "00"])
def test_a_damaged_secret_is_refused_and_the_file_stays(tmp_path: Path, damage: str) -> None:
    key = tmp_path / "key.csv"
    pseudonyms_of_key(key).of("a", "b")
    damaged = key.read_text().replace("secret,,,,,,,", f"secret,,,,,,,{damage}")
    assert damaged != key.read_text()
    key.write_text(damaged)
    with pytest.raises(UsageError, match="'secret', which is damaged; restore the file from a copy"):
        check_key(key, tmp_path / "out")
    with pytest.raises(UsageError, match="which is damaged"):
        pseudonyms_of_key(key).of("a", "b")
    assert key.read_text() == damaged


def test_a_link_is_refused_and_stays(tmp_path: Path) -> None:
    target, link = tmp_path / "target.csv", tmp_path / "key.csv"
    target.write_text("")
    link.symlink_to(target)
    for use in (
        lambda: check_key(link, tmp_path / "out"),
        lambda: pseudonyms_of_key(link).of("a", "b"),
        lambda: write_key(link, ()),
    ):
        with pytest.raises(UsageError, match=r"key\.csv: a link; give --key the path of the file itself"):
            use()
    assert link.is_symlink()
    assert target.read_text() == ""
