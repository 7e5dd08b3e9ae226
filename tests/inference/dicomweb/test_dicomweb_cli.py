"""``s3net segment --dicomweb``: from a study on a real Orthanc server to its mask on the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid

from data_prep.phantom_dicom import write_ct_series
from s3net_monai.cli import main
from s3net_monai.inference.dicomweb import dicomweb_study as study_module
from s3net_monai.inference.dicomweb.transfer import store_files
from s3net_monai.io.dicom.series import load_series
from tests.helpers.orthanc import Orthanc, running_orthanc

PATIENT = {"PatientName": "Meier^Ludmilla", "PatientID": "P-471100", "AccessionNumber": "ACC88123"}
LOGIN = ("reader", "s3cret-Word")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc"), credentials=LOGIN) as server:
        yield server


@pytest.fixture
def chest(server: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small oblique CT on the server, as series 1 of a study that also has a shorter series and a report."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server.clear()
    image = np.full((9, 8, 6), 40, np.int16)
    image[2:7, 1:5, 1:] = -800  # the toy bundle segments voxels below -400.5 HU
    image[0, 0, 0] = -900
    c, s = np.cos(np.radians(15)), np.sin(np.radians(15))
    affine = np.array([[0.8 * c, s * 0.7, 0, -30], [-0.8 * s, c * 0.7, 0, 50], [0, 0, 2.5, 10], [0, 0, 0, 1.0]])
    affine[:3, :2] *= -1  # LPS, as in DICOM
    folder = tmp_path / "chest"
    write_ct_series(image, affine, folder, case_id="E2E")
    series, report = generate_uid(), generate_uid()
    for index, path in enumerate(sorted(folder.iterdir())):
        dataset = dcmread(path)
        for keyword, value in PATIENT.items():
            setattr(dataset, keyword, value)
        dataset.save_as(path)
        server.upload([path])
        if index < 3:
            server.upload([_copy(dataset, tmp_path / f"short{index}.dcm", series=series, number=2, modality="CT")])
        if index == 0:
            server.upload([_copy(dataset, tmp_path / "report.dcm", series=report, number=3, modality="SR")])
    return folder


def _copy(dataset: Dataset, path: Path, *, series: str, number: int, modality: str) -> Path:
    copy = Dataset(dataset)
    copy.file_meta = Dataset(dataset.file_meta)
    copy.SeriesInstanceUID, copy.SeriesNumber, copy.Modality = series, number, modality
    copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    copy.save_as(path, enforce_file_format=True)
    return path


def segment(server: Orthanc, study: str, bundle: Path, output: Path, *more: str) -> int:
    url = server.with_credentials(server.dicomweb_url)
    arguments = ["--dicomweb", url, "--study", study, "--task", "lung", "--bundle", str(bundle)]
    return main(["segment", *arguments, "--output", str(output), *more])


def study_of(folder: Path) -> str:
    return str(dcmread(next(folder.iterdir())).StudyInstanceUID)


def instance_of(folder: Path) -> str:
    return str(dcmread(max(folder.iterdir())).SOPInstanceUID)


def stored_masks(server: Orthanc, folder: Path) -> list[Dataset]:
    folder.mkdir(exist_ok=True)
    masks = []
    for item in server.instances():
        if not server.stored_file(item["ID"]).exists():
            continue
        path = folder / f"{item['ID']}.dcm"
        path.write_bytes(server.file(item["ID"]))
        dataset = dcmread(path)
        if dataset.Modality == "SEG":
            masks.append(dataset)
    return masks


def test_a_study_is_segmented_and_its_mask_stored(
    server: Orthanc, chest: Path, lung_bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    study = study_of(chest)
    assert segment(server, study, lung_bundle, tmp_path / "out", "--formats", "nifti,dicomseg") == 0

    (entry,) = json.loads((tmp_path / "out" / "report.json").read_text())["cases"]
    on_disk = dcmread(tmp_path / "out" / entry["outputs"]["dicomseg"])
    (stored,) = stored_masks(server, tmp_path / "stored")
    assert stored == on_disk

    sources = {str(dataset.SOPInstanceUID): dataset for dataset in map(dcmread, chest.iterdir())}
    first = next(iter(sources.values()))
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", *PATIENT):
        assert stored[keyword].value == first[keyword].value
    (series,) = stored.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == first.SeriesInstanceUID
    assert {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence} <= sources.keys()

    truth = load_series([chest]).array < -400.5  # (columns, rows, slices)
    slices = sorted(sources.values(), key=lambda dataset: dataset.ImagePositionPatient[2])
    planes = highdicom.seg.Segmentation.from_dataset(stored).get_pixels_by_source_instance(
        [dataset.SOPInstanceUID for dataset in slices], assert_missing_frames_are_empty=True
    )
    np.testing.assert_array_equal(planes[..., 0], truth.transpose(2, 1, 0))

    texts = [path.read_text() for path in tmp_path.glob("out/*.[jh]*") if path.suffix in (".json", ".html")]
    texts += [*capfd.readouterr(), *(path.name for path in tmp_path.glob("out/**/*"))]
    assert len(texts) > 5
    for secret in (*PATIENT.values(), "Meier", "Ludmilla", study, str(first.SeriesInstanceUID), LOGIN[1]):
        assert not any(secret in text for text in texts), secret


def test_earlier_mask_is_no_input_and_is_kept(server: Orthanc, chest: Path, lung_bundle: Path, tmp_path: Path) -> None:
    assert segment(server, study_of(chest), lung_bundle, tmp_path / "first") == 0
    assert segment(server, study_of(chest), lung_bundle, tmp_path / "second") == 0
    report = json.loads((tmp_path / "second" / "report.json").read_text())
    assert report["summary"]["ok"] == 1
    assert "dicomseg" in report["cases"][0]["outputs"], "stored although --formats does not name it"
    reasons = {entry["series"]: entry["reason"] for entry in report["excluded"]}
    assert reasons["SR series 3"] == reasons["SEG series 1001"] == "contains no images"
    assert len(stored_masks(server, tmp_path / "stored")) == 2


def test_mask_that_cannot_be_stored_fails_but_stays_on_disk(
    chest: Path,
    lung_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running_orthanc(tmp_path / "own") as server:
        server.upload([chest])

        def store_after_stopping(url: str, paths: object) -> dict[Path, str]:
            server.stop()
            return store_files(url, paths)  # type: ignore[arg-type]

        monkeypatch.setattr(study_module, "store_files", store_after_stopping)
        assert segment(server, study_of(chest), lung_bundle, tmp_path / "out") == 1
    (entry,) = json.loads((tmp_path / "out" / "report.json").read_text())["cases"]
    assert entry["status"] == "failed"
    assert "not stored" in entry["reason"]
    assert "not reachable" in entry["reason"]
    assert dcmread(tmp_path / "out" / entry["outputs"]["dicomseg"]).Modality == "SEG"


def test_incomplete_series_on_the_server_fails_by_name(
    server: Orthanc, chest: Path, lung_bundle: Path, tmp_path: Path
) -> None:
    lost = next(item for item in server.instances() if item["MainDicomTags"]["SOPInstanceUID"] == instance_of(chest))
    server.stored_file(lost["ID"]).unlink()
    assert segment(server, study_of(chest), lung_bundle, tmp_path / "out") == 1
    entries = json.loads((tmp_path / "out" / "report.json").read_text())["cases"]
    results = {entry["case_id"].rpartition("_")[2]: (entry["status"], entry["reason"]) for entry in entries}
    assert results["series1"] == ("failed", "series1: CT series 1: the server responded with HTTP 500; see its log")
    assert results["series2"][0] == "ok"
    assert len(stored_masks(server, tmp_path / "stored")) == 1


def test_unusable_study_and_login_end_with_one_line(
    server: Orthanc, chest: Path, lung_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment(server, "1.2.3.4.5", lung_bundle, tmp_path / "out") == 2
    url = server.dicomweb_url.replace("//", "//reader:guess@")
    more = ["--study", study_of(chest), "--task", "lung", "--bundle", str(lung_bundle), "--output", str(tmp_path / "x")]
    assert main(["segment", "--dicomweb", url, *more]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("s3net: error:")]
    assert len(lines) == 2
    assert "the study was not found" in lines[0]
    assert "1.2.3.4.5" not in lines[0]
    assert "access refused (HTTP 401)" in lines[1]
    assert "guess" not in lines[1]
