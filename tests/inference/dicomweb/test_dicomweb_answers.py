"""Answers that are cut short are asked for again, and unusual ones that the standards allow are understood."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from benchmarks.faults import answers
from benchmarks.faults.answers import JSON, PART, PART_HEAD, PART_TAIL, Answer, item, listing
from s3net_monai.inference.dicomweb import limits, multipart
from s3net_monai.inference.dicomweb.limits import Allowance
from s3net_monai.inference.dicomweb.listing import read_items
from s3net_monai.inference.dicomweb.multipart import write_only_part
from s3net_monai.inference.dicomweb.problems import ItemError
from s3net_monai.inference.dicomweb.transfer import fetch_study, store_files
from s3net_monai.utils.errors import UsageError
from tests.helpers.dicomweb_archive import SERIES, STUDY, archive, kind_of, one_image

PAGES = {  # of the sound archive
    "series": listing(item(SeriesInstanceUID=SERIES, Modality="CT")),
    "studies": listing(item(StudyInstanceUID=STUDY, PatientID="P1")),
}
BOM = b"\xef\xbb\xbf"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A DICOM file of the study."""
    return one_image(tmp_path_factory.mktemp("image"))


@pytest.fixture(autouse=True)
def _short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(limits, "SILENCE_SECONDS", 0.3)


def cut(handler: BaseHTTPRequestHandler, body: bytes, content_type: str, silent: bool) -> None:
    """Send half of an answer; then end the connection, or keep it without a byte."""
    answers.start(handler, content_type, Content_Length=str(len(body)), Connection="close")
    handler.wfile.write(body[: len(body) // 2])
    handler.wfile.flush()
    if silent:
        handler.connection.settimeout(5)
        handler.rfile.read(1)  # until the client hangs up


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("kind", ["series", "studies", "image"])
def test_an_answer_that_is_cut_is_asked_for_again(image: bytes, tmp_path: Path, kind: str, silent: bool) -> None:
    body, content_type = (PART_HEAD + image + PART_TAIL, PART) if kind == "image" else (PAGES[kind], JSON)
    tries = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        tries.append(handler.path)
        if len(tries) <= (1 if silent else limits.RETRIES):
            cut(handler, body, content_type, silent)
        else:
            answers.whole(handler, body, content_type)

    with archive(image, **{kind: answer}) as (url, _):
        (file,) = fetch_study(url, STUDY, folder=tmp_path / "fetched", task="lung").files
    assert file.read_bytes() == image


def test_an_image_that_is_always_cut_fails_its_series_alone(image: bytes, tmp_path: Path) -> None:
    series = listing(*(item(SeriesInstanceUID=uid, Modality="CT") for uid in ("1.2.3.3", SERIES)))
    body = PART_HEAD + image + PART_TAIL

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "/series/1.2.3.3/" in handler.path:
            cut(handler, body, PART, silent=False)
        else:
            answers.whole(handler, body, PART)

    with archive(image, series=lambda handler: answers.whole(handler, series), image=answer) as (url, paths):
        fetched = fetch_study(url, STUDY, folder=tmp_path / "fetched", task="lung")
    assert len(fetched.files) == 1
    assert [case.problem for case in fetched.unusable] == [
        "CT series 0, image 1: the connection was lost within an answer; check the server and the network between"
    ]
    assert sum("/series/1.2.3.3/" in path and kind_of(path) == "image" for path in paths) == 1 + limits.RETRIES


def test_an_image_that_always_stays_silent_ends_the_run(image: bytes, tmp_path: Path) -> None:
    series = listing(*(item(SeriesInstanceUID=uid, Modality="CT") for uid in ("1.2.3.3", SERIES)))
    body = PART_HEAD + image + PART_TAIL
    with (
        archive(
            image,
            series=lambda handler: answers.whole(handler, series),
            image=lambda handler: cut(handler, body, PART, silent=True),
        ) as (url, paths),
        pytest.raises(UsageError, match="no response in time"),
    ):
        fetch_study(url, STUDY, folder=tmp_path / "fetched", task="lung")
    assert [kind_of(path) for path in paths].count("image") == 1 + limits.RETRIES, "the second series is not tried"
    assert not (tmp_path / "fetched").exists()


def test_silence_before_an_answer_is_named(image: bytes, tmp_path: Path) -> None:
    def wait(handler: BaseHTTPRequestHandler) -> None:
        handler.connection.settimeout(5)
        handler.rfile.read(1)  # until the client hangs up

    with (
        archive(image, series=wait) as (url, paths),
        pytest.raises(UsageError, match=r"no response in time; check the address, the server and the network"),
    ):
        fetch_study(url, STUDY, folder=tmp_path / "fetched", task="lung")
    assert len(paths) == 1 + limits.RETRIES


def test_all_tries_share_the_seconds_of_one_answer(
    image: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LISTING", Allowance(2**20, 0.5))  # less than two silences of 0.3 s
    with (
        archive(image, series=lambda handler: cut(handler, PAGES["series"], JSON, silent=True)) as (url, paths),
        pytest.raises(UsageError, match=r"no complete answer within 0\.5 s"),
    ):
        fetch_study(url, STUDY, folder=tmp_path / "fetched", task="lung")
    assert len(paths) == 2


def test_a_byte_order_mark_is_not_part_of_a_listing() -> None:
    items = [{"SeriesInstanceUID": SERIES}]
    assert list(read_items(BytesIO(BOM + PAGES["series"]), ["SeriesInstanceUID"])) == items
    assert list(read_items(BytesIO(BOM), ["SeriesInstanceUID"])) == []


@pytest.mark.parametrize(
    "body",
    [
        b"A preamble\r\n--lim is not the boundary\r\n" + PART_HEAD + b"%b" + PART_TAIL,
        b"\r\n" + PART_HEAD + b"%b" + PART_TAIL,
        b"--limit \t \r\nContent-Type: application/dicom\r\n\r\n%b" + PART_TAIL,
        b"--limit\r\nContent-Type: application/dicom;\r\n\ttransfer-syntax=1.2.840.10008.1.2.1\r\n\r\n%b" + PART_TAIL,
        b"--limit\r\n\r\n%b" + PART_TAIL,
        PART_HEAD + b"%b" + PART_TAIL + b"  \r\nepilogue\r\n--other",
    ],
    ids=["preamble", "empty preamble", "padding", "folded header", "no header", "epilogue"],
)
def test_multipart_as_its_standard_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.setattr(limits, "CHUNK_BYTES", 7)  # delimiters lie across chunks
    part = b"a\r\n\r\n--limi\r\n--lim it" * 20
    write_only_part(BytesIO(body % part), PART, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == part


@pytest.mark.parametrize("padding", [b"", b"  ", b"\t" * multipart._PADDING_BYTES])
def test_a_second_part_is_refused_whatever_follows_its_boundary(tmp_path: Path, padding: bytes) -> None:
    second = b"\r\n--limit" + padding + b"\r\n\r\n"
    for first in (b"a", b"a" * 2**16, b"a" * (2**17 - 60)):  # in the first chunk and across others
        with pytest.raises(ItemError, match="several parts"):
            write_only_part(BytesIO(PART_HEAD + first + second + b"b" + PART_TAIL), PART, tmp_path / "part")


def test_an_empty_content_encoding_is_none(image: bytes, tmp_path: Path) -> None:
    with archive(image, series=lambda handler: answers.whole(handler, PAGES["series"], Content_Encoding=" ")) as (
        url,
        _,
    ):
        assert len(fetch_study(url, STUDY, folder=tmp_path / "fetched", task="lung").files) == 1


def test_interim_answers_are_passed_over(image: bytes, tmp_path: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style>\r\n\r\n" * 2)
        answers.whole(handler, PAGES["series"])

    with archive(image, series=answer) as (url, _):
        assert len(fetch_study(url, STUDY, folder=tmp_path / "fetched", task="lung").files) == 1


@pytest.mark.parametrize("status", [404, 500])
def test_a_page_that_is_not_there_ends_a_listing(image: bytes, tmp_path: Path, status: int) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "offset" in handler.path:
            answers.whole(handler, b"", JSON, status)
        else:
            answers.whole(handler, PAGES["series"])

    with archive(image, series=answer) as (url, _):
        if status == 404:
            assert len(fetch_study(url, STUDY, folder=tmp_path / "fetched", task="lung").files) == 1
        else:
            with pytest.raises(UsageError, match="HTTP 500"):
                fetch_study(url, STUDY, folder=tmp_path / "fetched", task="lung")


def failure(uid: str, reason: int) -> dict[str, Any]:
    """The answer to a store request in DICOM JSON."""
    failed = item(ReferencedSOPInstanceUID=uid, FailureReason=reason)
    return {"00081198": {"vr": "SQ", "Value": [failed]}}


@pytest.mark.parametrize("wrap", [lambda answer: answer, lambda answer: [answer]], ids=["object", "array"])
def test_an_instance_that_the_server_has_is_stored(image: bytes, tmp_path: Path, wrap: Callable[[Any], Any]) -> None:
    path, uid = tmp_path / "mask.dcm", str(dcmread(BytesIO(image)).SOPInstanceUID)
    path.write_bytes(image)

    def store(reason: int) -> dict[Path, str]:
        body = json.dumps(wrap(failure(uid, reason))).encode()
        with archive(image, studies=lambda handler: answers.whole(handler, body, JSON, 409)) as (url, _):
            return store_files(url, [path])

    assert store(0x0111) == {}
    assert "failure reason A700H" in store(0xA700)[path]


@pytest.mark.parametrize(
    "send",
    [
        lambda handler: answers.start(handler, JSON, Connection="close"),
        lambda handler: answers.whole(handler, b""),
        lambda handler: cut(handler, b"{}" * 50, JSON, silent=False),
    ],
    ids=["no length", "length 0", "cut"],
)
def test_after_an_answer_without_a_body_the_server_is_asked_for_the_mask(
    image: bytes, tmp_path: Path, send: Answer
) -> None:
    path = tmp_path / "mask.dcm"
    path.write_bytes(image)
    with archive(image, studies=send) as (url, paths):
        assert store_files(url, [path]) == {}
    assert [kind_of(path) for path in paths] == ["studies", "instances"], "the mask is sent once"
