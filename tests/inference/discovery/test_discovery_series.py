"""Selection of the series of a study by the default rules and by rules of the user."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s3net_monai.inference import find_cases
from s3net_monai.inference.discovery.dicom_headers import sort_files
from s3net_monai.inference.discovery.series_selection import Condition, Selection
from s3net_monai.io import CaseError
from s3net_monai.io.dicom.series import load_series
from tests.helpers.dicom_media import SECONDARY_CAPTURE, make_vl_image, series
from tests.helpers.discovery_results import described, reasons, touch
from tests.helpers.enhanced_ct import enhanced_ct


def test_phases_at_the_same_position_count_once(tmp_path: Path) -> None:
    series(5, SeriesNumber=2).save(tmp_path / "st" / "whole")
    phases = series(3, SeriesNumber=3)
    phases.slices += [copy for _ in range(3) for copy in series(3, SeriesNumber=3).slices]
    for dataset in phases.slices:
        dataset.SeriesInstanceUID = phases.slices[0].SeriesInstanceUID
    phases.save(tmp_path / "st" / "phases")
    discovery = find_cases([tmp_path])
    assert described(discovery) == [("whole", "dicom_series", 5)]
    assert reasons(discovery) == ["series 3 (CT, axial, 2 mm) of 3 slices: 3 slices, the selected series has 5"]


@pytest.mark.parametrize(("stated", "frames"), [(10**9, 10**9), (-3, 1)])
def test_a_wrong_number_of_frames_is_left_to_the_reader(stated: int, frames: int, tmp_path: Path) -> None:
    """It costs no memory, and no error, to count frames that are not there."""
    folder = series(1, NumberOfFrames=stated).save(tmp_path / "st")
    tracemalloc.start()
    found = sort_files(sorted(folder.iterdir()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [found.series[0].frames, found.series[0].images] == [frames, frames]
    assert peak < 2**26


def test_axial_series_with_most_slices_is_selected(tmp_path: Path) -> None:
    scout = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    series(1, SeriesNumber=1, ImageType=scout, SeriesDescription="Scout").save(tmp_path / "st" / "s1")
    series(5, SeriesNumber=2, SeriesDescription="Thick").save(tmp_path / "st" / "s2")
    series(9, SeriesNumber=3, SeriesDescription="Lung").save(tmp_path / "st" / "s3")
    series(20, SeriesNumber=4, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]).save(tmp_path / "st" / "s4")
    series(30, SeriesNumber=5, ImageType=["DERIVED", "SECONDARY", "MPR"]).save(tmp_path / "st" / "s5")
    series(40, SeriesNumber=6, Modality="MR").save(tmp_path / "st" / "s6")
    series(40, SeriesNumber=7, Modality="SEG").save(tmp_path / "st" / "s7")
    discovery = find_cases([tmp_path])
    assert described(discovery) == [("s3", "dicom_series", 9)]
    assert discovery.cases[0].selection == (
        "series 3 (CT, axial, 2 mm) of 9 slices, selected from 7 series of its study: satisfies 'primary axial CT'"
    )
    assert reasons(discovery) == [
        "series 1 (CT, axial, 2 mm) of 1 slice: "
        "ImageType is ORIGINAL, PRIMARY, LOCALIZER, not in LOCALIZER, SCOUT expected",
        "series 2 (CT, axial, 2 mm) of 5 slices: 5 slices, the selected series has 9",
        "series 4 (CT, coronal, 2 mm) of 20 slices: Orientation is coronal, axial expected",
        "series 5 (CT, axial, 2 mm) of 30 slices: ImageType is DERIVED, SECONDARY, MPR, contains PRIMARY expected",
        "series 6 (MR, axial, 2 mm) of 40 slices: Modality is MR, CT expected",
        "series 7 (SEG, axial, 2 mm) of 40 slices: SEG, derived from images and not an image itself",
    ]
    assert all(json.dumps(asdict(excluded)) for excluded in discovery.excluded)


def test_every_study_yields_a_case(tmp_path: Path) -> None:
    for patient in ("p1", "p2"):
        for number in (1, 2):
            series(number + 1, f"1.2.3.{patient[1]}", SeriesNumber=number).save(
                tmp_path / patient / "st" / f"s{number}"
            )
    discovery = find_cases([tmp_path])
    assert described(discovery) == [("p1_st_s2", "dicom_series", 3), ("p2_st_s2", "dicom_series", 3)]


@pytest.mark.parametrize("name", ["folder", "file"])
def test_series_that_the_user_names_is_selected(tmp_path: Path, name: str) -> None:
    folder = series(1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]).save(tmp_path / "st" / "scout")
    series(5).save(tmp_path / "st" / "axial")
    discovery = find_cases(
        [folder if name == "folder" else folder / "00000.dcm"], rules=rules(Modality={"equals": "MR"})
    )
    assert [(case.kind, case.selection) for case in discovery.cases] == [("dicom_series", "")]
    assert discovery.excluded == ()


def test_study_without_a_fitting_series_is_still_a_case(tmp_path: Path) -> None:
    series(3, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], SeriesNumber=1).save(tmp_path / "s1")
    series(9, Modality="MR", SeriesNumber=2).save(tmp_path / "s2")
    discovery = find_cases([tmp_path])
    assert described(discovery) == [("s1", "dicom_series", 3)]
    assert "closest to 'primary axial CT'" in discovery.cases[0].selection


def rules(choose: str = "most-slices", **conditions: dict[str, Any]) -> Selection:
    all_conditions = [Condition(key, test, value) for key, tests in conditions.items() for test, value in tests.items()]
    return Selection(tuple(all_conditions), choose, "rules.json")  # type: ignore[arg-type]


def test_rules_of_the_user(tmp_path: Path) -> None:
    series(3, SeriesNumber=1, ConvolutionKernel="B70f", SliceThickness=1).save(tmp_path / "thin")
    series(4, SeriesNumber=2, ConvolutionKernel="B70f", SliceThickness=5).save(tmp_path / "thick")
    series(5, SeriesNumber=3, ConvolutionKernel="B30f", SliceThickness=1).save(tmp_path / "soft")
    hard = {"ConvolutionKernel": {"in": ["B70f"]}}
    assert described(find_cases([tmp_path], rules=rules(**hard))) == [("thick", "dicom_series", 4)]
    assert described(find_cases([tmp_path], rules=rules("all", **hard))) == [
        ("thick", "dicom_series", 4),
        ("thin", "dicom_series", 3),
    ]
    thin = rules(**hard, SliceThickness={"range": [0.5, 3]}, NumberOfSlices={"range": [2, None]})
    assert described(find_cases([tmp_path], rules=thin)) == [("thin", "dicom_series", 3)]


def test_study_that_satisfies_no_rule_fails_with_its_reason(tmp_path: Path) -> None:
    series(3, "1.2.3.1", SeriesNumber=1, SeriesDescription="Lung").save(tmp_path / "a")
    series(4, "1.2.3.2", SeriesNumber=2, SeriesDescription="Head").save(tmp_path / "b")
    cases = find_cases([tmp_path], rules=rules(SeriesDescription={"regex": "Lung"})).cases
    assert [case.kind for case in cases] == ["dicom_series", "unusable"]
    assert cases[1].problem == (
        "b: no series satisfies the rules of rules.json: SeriesDescription does not meet the rule "
        "'regex' in series 2 (CT, axial, 2 mm) of 4 slices"
    )


def test_series_may_be_spread_over_several_folders(tmp_path: Path) -> None:
    maker = series(4)
    folder = maker.save(tmp_path / "ct" / "one")
    (tmp_path / "ct" / "two").mkdir()
    for file in sorted(folder.iterdir())[:2]:
        file.rename(tmp_path / "ct" / "two" / file.name)
    discovery = find_cases([tmp_path])
    assert described(discovery) == [("ct", "dicom_series", 4)]
    maker.save(tmp_path / "copy")
    discovery = find_cases([tmp_path])
    assert [(len(case.image), case.kind) for case in discovery.cases] == [(4, "dicom_series")]
    assert reasons(discovery) == [
        "series 3 (CT, axial, 2 mm) of 4 slices: 4 files in other folders repeat its instances"
    ]


def test_unequal_copies_in_other_folders_are_left_to_the_reader(tmp_path: Path) -> None:
    maker = series(4)
    maker.save(tmp_path / "ct" / "one")
    for dataset in maker.slices[:2]:
        dataset.RescaleIntercept = 0
    maker.save(tmp_path / "ct" / "two")
    (case,) = find_cases([tmp_path]).cases
    assert sorted(path.parent.name for path in case.image) == ["one"] * 4 + ["two"] * 2
    with pytest.raises(CaseError, match=r"unequal copies: 00000\.dcm and 00000\.dcm share a SOPInstanceUID"):
        load_series(case.image)


@pytest.mark.parametrize("name", ["COPY OF {}", "{}.DCM", "z/{}"])
def test_copies_count_no_slices(tmp_path: Path, name: str) -> None:
    folder = series(4, SeriesNumber=1).save(tmp_path / "st" / "doubled")
    for file in sorted(folder.iterdir()):
        copy = folder / name.format(file.name.upper())
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(file, copy)
    series(5, SeriesNumber=2).save(tmp_path / "st" / "larger")
    discovery = find_cases([tmp_path])
    assert described(discovery) == [("larger", "dicom_series", 5)]
    assert reasons(discovery)[-1] == "series 1 (CT, axial, 2 mm) of 4 slices: 4 slices, the selected series has 5"


def test_enhanced_object_and_its_copy_count_once(tmp_path: Path) -> None:
    dataset = enhanced_ct(np.zeros((6, 4, 5), np.uint16))
    for name in ("a.dcm", "b.dcm"):
        dataset.save_as(tmp_path / name, enforce_file_format=True)
    discovery = find_cases([tmp_path])
    assert described(discovery) == [(tmp_path.name, "dicom_series", 2)]
    sorted_files = sort_files([tmp_path / "a.dcm", tmp_path / "b.dcm"])
    assert (sorted_files.series[0].frames, sum(sorted_files.series[0].voxels.values())) == (6, 120)


def test_copies_of_vl_images_are_one_case(tmp_path: Path) -> None:
    image, other = make_vl_image(), make_vl_image()
    other.PixelData = b"\1" * 60
    other.SOPInstanceUID = image.SOPInstanceUID
    for name, dataset in (("a.dcm", image), ("A COPY.DCM", image), ("other.dcm", other)):
        dataset.save_as(tmp_path / name, enforce_file_format=True)
    discovery = find_cases([tmp_path])
    assert [case.case_id for case in discovery.cases] == ["A COPY", "other"]
    assert [excluded.reason for excluded in discovery.excluded] == ["1 files repeat its instances"]


@pytest.mark.parametrize("names", [["1.dcm", "2.dcm", "3.dcm"], ["IM1", "IM2", "IM3"]])
def test_data_sets_without_preamble_are_a_series(tmp_path: Path, names: list[str]) -> None:
    folder = series(3).save(tmp_path / "ct", names=names)
    for file in folder.iterdir():
        data = file.read_bytes()
        file.write_bytes(data[144 + int.from_bytes(data[140:144], "little") :])
    assert described(find_cases([tmp_path])) == [("ct", "dicom_series", 3)]


def test_damaged_files_among_several_series_are_failed_cases(tmp_path: Path) -> None:
    series(3, SeriesNumber=1).save(tmp_path, names=["a", "b", "c"])
    series(2, SeriesNumber=2).save(tmp_path, names=["d", "e"])
    (tmp_path / "bad.dcm").write_bytes(b"x")
    cases = find_cases([tmp_path]).cases
    assert [(case.case_id, len(case.image)) for case in cases] == [(tmp_path.name, 3), ("bad", 1)]


def test_folder_of_damaged_files_is_one_case(tmp_path: Path) -> None:
    touch(tmp_path / "ct" / "1.dcm", tmp_path / "ct" / "2.dcm", tmp_path / "single" / "3.dcm")
    assert described(find_cases([tmp_path])) == [("ct", "dicom_series", 2), ("3", "dicom_series", 1)]


def test_vl_images_are_cases_of_their_own(tmp_path: Path) -> None:
    for name in ("a", "b.dcm"):
        make_vl_image(SOPInstanceUID=f"1.2.3.{len(name)}").save_as(tmp_path / name, enforce_file_format=True)
    assert described(find_cases([tmp_path])) == [("a", "dicom_vl_image", 1), ("b", "dicom_vl_image", 1)]
    assert described(find_cases([tmp_path / "a"])) == [("a", "dicom_vl_image", 1)]


def test_color_capture_beside_a_volume_is_excluded(tmp_path: Path) -> None:
    series(3).save(tmp_path / "ct")
    capture = make_vl_image(SOPClassUID=SECONDARY_CAPTURE, StudyInstanceUID="1.2.826.0.1.1")
    capture.save_as(tmp_path / "dose.dcm", enforce_file_format=True)
    discovery = find_cases([tmp_path])
    assert described(discovery) == [("ct", "dicom_series", 3)]
    assert [excluded.reason for excluded in discovery.excluded] == ["a color capture beside a volume"]
    assert described(find_cases([tmp_path / "dose.dcm"])) == [("dose", "dicom_vl_image", 1)]


def test_series_beyond_the_limit_is_unusable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series(3).save(tmp_path / "ct")
    touch(tmp_path / "a.png")
    monkeypatch.setattr("s3net_monai.inference.discovery.dicom_cases.MAX_VOXELS", 59)
    assert [case.problem for case in find_cases([tmp_path]).cases][1].startswith("ct: 60 voxels, beyond the limit")
