"""What the system's Orthanc and its current release do with masks, and with UIDs that they hold twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from dicomweb_client import DICOMwebClient
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid

from s3net_monai.inference.dicomweb.transfer import fetch_study, store_files
from s3net_monai.io.dicom.series import load_series
from s3net_monai.utils.errors import UsageError
from tests.helpers.ct_series import SeriesMaker
from tests.helpers.dicom_seg_writing import TYPES, write
from tests.helpers.dicom_tools import foreground_positions, read_with_highdicom
from tests.helpers.orthanc import RELEASES, Orthanc, running_orthanc


@pytest.fixture(scope="module", params=RELEASES)
def started(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc"), release=request.param) as server:
        yield server


@pytest.fixture
def server(started: Orthanc) -> Orthanc:
    started.clear()
    return started


@pytest.fixture
def maker() -> SeriesMaker:
    """Four slices of 6 rows and 5 columns: 30 pixels, no multiple of 8."""
    series = SeriesMaker(np.arange(120, dtype=np.int16).reshape(4, 6, 5), pixel_spacing=(0.7, 0.8))
    for dataset in series.slices:
        dataset.PatientID = "A"
    return series


@pytest.mark.parametrize("format_name", TYPES)
def test_masks_come_back_as_they_were_stored(
    server: Orthanc, maker: SeriesMaker, tmp_path: Path, format_name: str
) -> None:
    folder = maker.save(tmp_path / "ct")
    server.upload([folder])
    series = load_series([folder])
    array = np.zeros(series.array.shape, np.uint8)
    for z in range(1, 4):
        array[: z + 1, 1:3, z] = 1
    path = write(array, folder, tmp_path, format_name)
    assert store_files(server.dicomweb_url, [path]) == {}

    sent = dcmread(path)
    client = DICOMwebClient(server.dicomweb_url, session=server.session)
    (listed,) = client.search_for_instances(sent.StudyInstanceUID, sent.SeriesInstanceUID)
    assert listed["00080016"]["Value"] == [sent.SOPClassUID]
    received = client.retrieve_instance(
        sent.StudyInstanceUID,
        sent.SeriesInstanceUID,
        sent.SOPInstanceUID,
        media_types=(("application/dicom", "*"),),
    )
    assert received == sent
    assert received.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
    received.save_as(tmp_path / "received.dcm")
    found = foreground_positions(*read_with_highdicom(tmp_path / "received.dcm"))
    assert found == foreground_positions(array, series.affine)


Change = Callable[[list[Dataset]], object]


def other_patient(slices: list[Dataset]) -> None:
    for dataset in slices:
        dataset.PatientID = "Doe^Jane"


def one_image_of_another_patient(slices: list[Dataset]) -> None:
    other_patient(slices)
    del slices[1:]


def another_series_of_another_patient(slices: list[Dataset]) -> None:
    other_patient(slices)
    series = generate_uid()
    for dataset in slices:
        dataset.SeriesInstanceUID, dataset.SOPInstanceUID = series, generate_uid()
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID


@pytest.mark.parametrize("change", [other_patient, one_image_of_another_patient, another_series_of_another_patient])
def test_a_study_of_two_patients_is_refused_by_its_cause(
    server: Orthanc, maker: SeriesMaker, tmp_path: Path, change: Change
) -> None:
    first = maker.save(tmp_path / "first")
    change(maker.slices)
    server.upload([first, maker.save(tmp_path / "second")])
    with pytest.raises(UsageError, match=r"holds the UID of this study under 2 patients.*; remove or merge") as error:
        fetch_study(server.dicomweb_url, study_of(maker), folder=tmp_path / "fetched", task="lung")
    assert "Doe" not in str(error.value)
    assert not (tmp_path / "fetched").exists()


def test_another_study_of_another_patient_is_no_obstacle(server: Orthanc, maker: SeriesMaker, tmp_path: Path) -> None:
    other = SeriesMaker(np.ones((3, 6, 5), np.int16))
    other_patient(other.slices)
    server.upload([maker.save(tmp_path / "first"), other.save(tmp_path / "second")])
    assert len(fetch_study(server.dicomweb_url, study_of(maker), folder=tmp_path / "f", task="lung").files) == 4


def test_images_that_are_in_two_studies_come_whole_or_are_refused_by_their_cause(
    server: Orthanc, maker: SeriesMaker, tmp_path: Path
) -> None:
    study, first = study_of(maker), maker.save(tmp_path / "first")
    other = generate_uid()
    for dataset in maker.slices:
        dataset.StudyInstanceUID = other
    server.upload([first, maker.save(tmp_path / "second")])
    target = tmp_path / "fetched"
    if server.version.startswith("1.10."):  # looks for an image by its own UID alone
        cause = "CT series 3, image 1: the archive holds several images with its UID, in other studies or series"
        with pytest.raises(UsageError, match=cause):
            fetch_study(server.dicomweb_url, study, folder=target, task="lung")
        return
    fetched = fetch_study(server.dicomweb_url, study, folder=target, task="lung")
    assert [dcmread(path).StudyInstanceUID for path in fetched.files] == [study] * 4


def study_of(maker: SeriesMaker) -> str:
    return str(maker.slices[0].StudyInstanceUID)
