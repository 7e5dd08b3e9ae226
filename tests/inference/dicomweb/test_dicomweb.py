"""Fetching from and storing to a real Orthanc server, with its failures."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import RLELossless, generate_uid

from data_prep.phantom_dicom import write_ct_series
from s3net_monai.inference.dicomweb import transfer
from s3net_monai.inference.dicomweb.server import PASSWORD_VARIABLE, USER_VARIABLE
from s3net_monai.inference.dicomweb.transfer import fetch_instance, fetch_study, store_files
from s3net_monai.io import Mask, write_mask
from s3net_monai.io.dicom.series import load_series
from s3net_monai.tasks import TASKS
from s3net_monai.utils.errors import UsageError
from tests.helpers.orthanc import Orthanc, running_orthanc

LOGIN = ("reader", "Grün: 1/2@3")  # characters that are special in an address or encoded differently in Latin-1


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture(scope="module")
def locked_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("locked"), credentials=LOGIN) as server:
        yield server


@pytest.fixture
def server(open_server: Orthanc) -> Orthanc:
    open_server.clear()
    return open_server


@pytest.fixture
def phantom(tmp_path: Path) -> Path:
    """Four slices of 5 rows and 6 columns, rotated by 90 degrees; every value differs, to reveal any swap."""
    image = np.arange(6 * 5 * 4, dtype=np.int16).reshape(6, 5, 4) - 1000
    affine = np.array([[0.0, 0.8, 0, 12], [-0.7, 0, 0, 30], [0, 0, 2.5, -40], [0, 0, 0, 1]])
    affine[:, 2] *= np.sign(np.cross(affine[:3, 0], affine[:3, 1])[2])
    write_ct_series(image, affine, tmp_path / "phantom", case_id="P1", feet_last=True)
    return tmp_path / "phantom"


def study_of(folder: Path) -> str:
    return str(dcmread(next(folder.iterdir()), stop_before_pixels=True).StudyInstanceUID)


def second_series(folder: Path, target: Path, **tags: object) -> Path:
    """The same slices as another series of the same study."""
    target.mkdir()
    uid = generate_uid()
    for path in sorted(folder.iterdir()):
        dataset = dcmread(path)
        dataset.SeriesInstanceUID = uid
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        for keyword, value in tags.items():
            setattr(dataset, keyword, value)
        dataset.save_as(target / path.name)
    return target


def segmentation(folder: Path, target: Path) -> Path:
    """A DICOM SEG of the series whose foreground differs from slice to slice."""
    series = load_series([folder])
    array = np.zeros(series.array.shape, np.uint8)
    for z in range(array.shape[2]):
        array[: z + 1, 1:3, z] = 1
    target.mkdir(exist_ok=True)
    mask = Mask(
        array=array,
        affine=series.affine,
        source=(folder,),
        labels=TASKS["lung"].labels,
        model_name="S3-Net",
        model_version="1.0",
    )
    return write_mask(mask, target, case_id="case", format_name="dicomseg")


def by_uid(paths: Iterable[Path]) -> dict[str, Dataset]:
    return {str(dataset.SOPInstanceUID): dataset for dataset in map(dcmread, paths)}


def test_only_the_images_of_the_study_are_fetched(server: Orthanc, phantom: Path, tmp_path: Path) -> None:
    other = second_series(phantom, tmp_path / "other", SeriesNumber=7)
    report = second_series(phantom, tmp_path / "report", SeriesNumber=8, Modality="SR")
    magnetic = second_series(phantom, tmp_path / "magnetic", SeriesNumber=9, Modality="MR")
    server.upload([phantom, other, report, magnetic, segmentation(phantom, tmp_path / "masks")])

    study = fetch_study(server.dicomweb_url, study_of(phantom), folder=tmp_path / "fetched", task="lung")

    names = [str(path.relative_to(tmp_path / "fetched")) for path in study.files]
    assert names == [f"series{s}/{m:05d}.dcm" for s in (1, 2) for m in (1, 2, 3, 4)]
    assert sorted(tmp_path.glob("fetched/**/*.*")) == sorted(study.files)
    sent, received = by_uid([*phantom.iterdir(), *other.iterdir()]), by_uid(study.files)
    assert sent.keys() == received.keys()
    for uid, dataset in sent.items():
        assert received[uid] == dataset
    assert [dcmread(path).InstanceNumber for path in study.files] == [1, 2, 3, 4] * 2
    np.testing.assert_array_equal(load_series([tmp_path / "fetched/series1"]).array, load_series([phantom]).array)
    assert [(series.series, series.reason) for series in study.excluded] == [
        ("SR series 8", "contains no images"),
        ("MR series 9", "not CT, which task lung expects"),
        ("SEG series 1001", "contains no images"),
    ]


def test_compressed_series_keep_their_transfer_syntax(server: Orthanc, phantom: Path, tmp_path: Path) -> None:
    for path in phantom.iterdir():
        dataset = dcmread(path)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(path)
    server.upload([phantom])
    study = fetch_study(server.dicomweb_url, study_of(phantom), folder=tmp_path / "fetched", task="lung")
    sent = by_uid(phantom.iterdir())
    for uid, dataset in by_uid(study.files).items():
        assert dataset.file_meta.TransferSyntaxUID == RLELossless
        assert dataset.PixelData == sent[uid].PixelData
    np.testing.assert_array_equal(load_series([tmp_path / "fetched/series1"]).array, load_series([phantom]).array)


def test_real_jpeg_2000_series(server: Orthanc, real_data: Path, tmp_path: Path) -> None:
    source = real_data / "dicom" / "abdomen_jpeg2000"
    folder = tmp_path / "jpeg2000"
    folder.mkdir()
    study, series = generate_uid(), generate_uid()
    for path in sorted(source.iterdir()):
        dataset = dcmread(path)  # anonymization removed these, and a server needs them
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID
        dataset.save_as(folder / path.name)
    server.upload([folder])
    fetched = fetch_study(server.dicomweb_url, study, folder=tmp_path / "fetched", task="lung")
    sent, received = by_uid(folder.iterdir()), by_uid(fetched.files)
    assert sent.keys() == received.keys()
    for uid, dataset in received.items():
        assert dataset.file_meta.TransferSyntaxUID.name.startswith("JPEG 2000")
        assert dataset.PixelData == sent[uid].PixelData


def test_stored_mask_equals_the_mask_on_disk(server: Orthanc, phantom: Path, tmp_path: Path) -> None:
    server.upload([phantom])
    path = segmentation(phantom, tmp_path / "masks")
    assert store_files(server.dicomweb_url, [path]) == {}
    assert store_files(server.dicomweb_url, [path]) == {}, "storing twice is not a failure"

    stored = [
        item for item in server.instances() if item["MainDicomTags"]["SOPInstanceUID"] == dcmread(path).SOPInstanceUID
    ]
    assert len(stored) == 1
    assert len(server.instances()) == 5
    (tmp_path / "back.dcm").write_bytes(server.file(stored[0]["ID"]))
    assert dcmread(tmp_path / "back.dcm") == dcmread(path)


def test_refused_files_are_reported_by_name(server: Orthanc, phantom: Path, tmp_path: Path) -> None:
    good = segmentation(phantom, tmp_path / "masks")
    bad = dcmread(good)
    bad.SOPInstanceUID = bad.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    bad.StudyInstanceUID = ""
    bad.PatientID = ""
    bad.save_as(tmp_path / "masks" / "bad_seg.dcm")
    problems = store_files(server.dicomweb_url, [tmp_path / "masks" / "bad_seg.dcm", good])
    assert list(problems) == [tmp_path / "masks" / "bad_seg.dcm"]
    assert problems[tmp_path / "masks" / "bad_seg.dcm"] == "bad_seg.dcm: not stored, the server does not list it"
    assert [item["MainDicomTags"]["SOPInstanceUID"] for item in server.instances()] == [dcmread(good).SOPInstanceUID]


def test_credentials_from_address_or_environment(
    locked_server: Orthanc, phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked_server.upload([phantom])
    study = study_of(phantom)
    quoted = locked_server.dicomweb_url.replace("//", "//reader:Gr%C3%BCn%3A%201%2F2%403@")
    assert len(fetch_study(quoted, study, folder=tmp_path / "a", task="lung").files) == 4
    monkeypatch.setenv(USER_VARIABLE, LOGIN[0])
    monkeypatch.setenv(PASSWORD_VARIABLE, LOGIN[1])
    assert len(fetch_study(locked_server.dicomweb_url, study, folder=tmp_path / "b", task="lung").files) == 4
    assert store_files(locked_server.dicomweb_url, [segmentation(phantom, tmp_path / "masks")]) == {}


def test_wrong_password_is_not_repeated_in_the_error(
    locked_server: Orthanc, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = locked_server.dicomweb_url.replace("//", "//reader:guess@")
    with pytest.raises(UsageError) as caught:
        fetch_study(url, "1.2.3", folder=tmp_path / "fetched", task="lung")
    assert str(caught.value) == (
        f"{locked_server.dicomweb_url}: access refused (HTTP 401); "
        "check S3NET_DICOMWEB_USER and S3NET_DICOMWEB_PASSWORD, or S3NET_DICOMWEB_TOKEN"
    )
    assert "guess" not in caplog.text


def test_unknown_study_is_refused(server: Orthanc, phantom: Path, tmp_path: Path) -> None:
    server.upload([phantom])
    with pytest.raises(UsageError, match="the study was not found; check its UID"):
        fetch_study(server.dicomweb_url, "1.2.3.4", folder=tmp_path / "fetched", task="lung")
    with pytest.raises(UsageError, match=r"study was not found.*root of the DICOMweb services"):
        fetch_study(server.url, study_of(phantom), folder=tmp_path / "fetched", task="lung")
    with pytest.raises(UsageError, match=r"no series of the study suits task skin \(found CT series 1\)"):
        fetch_study(server.dicomweb_url, study_of(phantom), folder=tmp_path / "fetched", task="skin")
    assert not (tmp_path / "fetched").exists()


@pytest.mark.slow
def test_unreachable_server_is_reported(phantom: Path, tmp_path: Path) -> None:
    with running_orthanc(tmp_path / "orthanc") as server:
        url = server.with_credentials(server.dicomweb_url)
    with pytest.raises(UsageError, match=f"^{url}: not reachable, or the connection was lost; check the address"):
        fetch_study(url, "1.2.3", folder=tmp_path / "fetched", task="lung")
    seg = segmentation(phantom, tmp_path / "masks")
    copy = seg.with_name("other_seg.dcm")
    copy.write_bytes(seg.read_bytes())
    problems = store_files(url, [seg, copy])
    assert problems.keys() == {seg, copy}
    assert problems[copy].startswith(f"other_seg.dcm: not stored, {url}: not reachable")


def test_lost_connection_leaves_no_files(phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_orthanc(tmp_path / "orthanc") as server:
        server.upload([phantom])
        fetched = []

        def stop_after_two(*arguments: Any) -> None:
            fetched.append(list(tmp_path.glob("fetched/series1/*.dcm")))
            if len(fetched) == 3:
                server.stop()
            fetch_instance(*arguments)

        monkeypatch.setattr(transfer, "fetch_instance", stop_after_two)
        with pytest.raises(UsageError, match="the connection was lost"):
            fetch_study(server.dicomweb_url, study_of(phantom), folder=tmp_path / "fetched", task="lung")
    assert [len(files) for files in fetched] == [0, 1, 2]
    assert not (tmp_path / "fetched").exists()


def test_missing_image_fails_only_its_series(
    server: Orthanc, phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = second_series(phantom, tmp_path / "other", SeriesNumber=7)
    ids = server.upload([phantom, other])

    def lose_the_second(*arguments: Any) -> None:
        if len(list(tmp_path.glob("fetched/series1/*.dcm"))) == 1:
            server.stored_file(ids[1]).unlink()
        fetch_instance(*arguments)

    monkeypatch.setattr(transfer, "fetch_instance", lose_the_second)
    study = fetch_study(server.dicomweb_url, study_of(phantom), folder=tmp_path / "fetched", task="lung")
    assert [path.parent.name for path in study.files] == ["series2"] * 4
    assert sorted(tmp_path.glob("fetched/**/*.*")) == sorted(study.files)
    (case,) = study.unusable
    assert (case.case_id, case.kind) == ("series1", "unusable")
    assert case.problem == "CT series 1, image 2: the server responded with HTTP 500; see its log"


def test_series_that_cannot_be_listed_fails_alone(server: Orthanc, phantom: Path, tmp_path: Path) -> None:
    other = second_series(phantom, tmp_path / "other", SeriesNumber=7)
    ids = server.upload([phantom, other])
    server.stored_file(ids[1]).unlink()  # Orthanc reads the files to list a series
    study = fetch_study(server.dicomweb_url, study_of(phantom), folder=tmp_path / "fetched", task="lung")
    assert [path.parent.name for path in study.files] == ["series2"] * 4
    assert [case.problem for case in study.unusable] == ["CT series 1: the server responded with HTTP 500; see its log"]


def test_limits_and_non_empty_folder(server: Orthanc, phantom: Path, tmp_path: Path) -> None:
    server.upload([phantom])
    with pytest.raises(UsageError, match="more than 3 images in the study"):
        fetch_study(server.dicomweb_url, study_of(phantom), folder=tmp_path / "fetched", task="lung", max_instances=3)
    with pytest.raises(UsageError, match=r"more than .* GiB in the study"):
        fetch_study(server.dicomweb_url, study_of(phantom), folder=tmp_path / "fetched", task="lung", max_bytes=3000)
    assert not (tmp_path / "fetched").exists()
    with pytest.raises(UsageError, match="phantom: not empty"):
        fetch_study(server.dicomweb_url, study_of(phantom), folder=phantom, task="lung")


def test_no_identifier_in_logs_and_output(
    server: Orthanc,
    phantom: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    ids = server.upload([phantom])
    header = dcmread(next(phantom.iterdir()))
    mask = segmentation(phantom, tmp_path / "masks")
    caplog.set_level(logging.DEBUG)
    fetch_study(server.dicomweb_url, study_of(phantom), folder=tmp_path / "fetched", task="lung")
    store_files(server.dicomweb_url, [mask])
    server.stored_file(ids[1]).unlink()
    with pytest.raises(UsageError) as caught:
        fetch_study(server.dicomweb_url, study_of(phantom), folder=tmp_path / "second", task="lung")
    logging.getLogger("urllib3").warning("seen")
    text = (
        str(caught.value) + caplog.text + "".join(capfd.readouterr()) + "".join(map(str, tmp_path.glob("fetched/**/*")))
    )
    assert "seen" in text, "messages of libraries are captured"
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "PatientID", "PatientName", "PatientBirthDate"):
        assert str(header[keyword].value) not in text
