"""Answers without end, too slow, compressed, cut or redirected, from servers on loopback: all end with an error."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from requests.exceptions import InvalidJSONError

from benchmarks.faults import answers
from benchmarks.faults.answers import JSON, PART, PART_HEAD, PART_TAIL, Answer, item, listing
from s3net_monai.inference.dicomweb import limits
from s3net_monai.inference.dicomweb.limits import Allowance
from s3net_monai.inference.dicomweb.listing import read_items
from s3net_monai.inference.dicomweb.transfer import FetchedStudy, fetch_study, store_files
from s3net_monai.utils.errors import UsageError
from tests.helpers.dicomweb_archive import SERIES, STUDY, archive, kind_of, one_image

KINDS = ("series", "instances", "image")  # of requests
PADDING = [b" " * 2**16]  # white space may stand before the items of a listing


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A DICOM file of the study."""
    return one_image(tmp_path_factory.mktemp("image"))


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LISTING", Allowance(2**20, 5.0))
    monkeypatch.setattr(limits, "INSTANCE", Allowance(2**20, 5.0))
    monkeypatch.setattr(limits, "STORE", Allowance(2**16, 5.0))
    monkeypatch.setattr(limits, "MEMORY_BYTES", 2**12)  # so that bodies go through a file
    monkeypatch.setattr(limits, "BACKOFF_SECONDS", 0.01)


def fetch(url: str, tmp_path: Path, **options: Any) -> FetchedStudy:
    return fetch_study(url, STUDY, folder=tmp_path / "fetched", task="lung", **options)


def refusal(url: str, tmp_path: Path, **options: Any) -> str:
    """The error of a run, which leaves no file and takes seconds."""
    start = time.monotonic()
    with pytest.raises(UsageError) as caught:
        fetch(url, tmp_path, **options)
    assert time.monotonic() - start < 4
    assert not list(tmp_path.glob("fetched/**/*.*"))
    message = str(caught.value)
    assert "\n" not in message
    assert STUDY not in message
    return message


@pytest.mark.parametrize("content_type", [PART, "application/dicom"])
def test_sound_answers_pass(image: bytes, tmp_path: Path, content_type: str) -> None:
    body = PART_HEAD + image + PART_TAIL if content_type == PART else image
    with archive(image, image=lambda handler: answers.whole(handler, body, content_type)) as (url, paths):
        (file,) = fetch(url, tmp_path).files
    assert file.read_bytes() == image
    assert [kind_of(path) for path in paths] == ["series"] * 2 + ["studies"] + ["instances"] * 2 + ["image"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("send", [answers.endless, answers.endless_chunks])
def test_body_without_end(image: bytes, tmp_path: Path, kind: str, send: Callable[..., None]) -> None:
    blocks, content_type = ([image], PART) if kind == "image" else (PADDING, JSON)
    with archive(image, **{kind: lambda handler: send(handler, blocks, content_type)}) as (url, _):
        assert "the answer has more than 1 MiB, the limit" in refusal(url, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_stated_length_beyond_the_limit_is_not_read(image: bytes, tmp_path: Path, kind: str) -> None:
    def state(handler: BaseHTTPRequestHandler) -> None:
        answers.start(handler, JSON, Content_Length=str(2**40))
        time.sleep(1)  # nothing is sent, so that reading would end with another error

    with archive(image, **{kind: state}) as (url, _):
        assert "the answer has more than 1 MiB, the limit" in refusal(url, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_compressed_answer_is_not_expanded(image: bytes, tmp_path: Path, kind: str) -> None:
    body = gzip.compress(b"[]" if kind != "image" else PART_HEAD + image + PART_TAIL)
    content_type = PART if kind == "image" else JSON

    def compress(handler: BaseHTTPRequestHandler) -> None:
        assert handler.headers["Accept-Encoding"] == "identity"
        answers.whole(handler, body, content_type, Content_Encoding="GZip")

    with archive(image, **{kind: compress}) as (url, _):
        assert "the answer is compressed, which was not asked for" in refusal(url, tmp_path)


@pytest.mark.parametrize(
    "before",
    [
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n[",
    ],
)
@pytest.mark.parametrize("kind", ["series", "image"])
def test_dripping_answer(
    image: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, before: bytes
) -> None:
    """In the header and in the body; every byte starts the timeout of the socket again."""
    monkeypatch.setattr(limits, {"series": "LISTING", "image": "INSTANCE"}[kind], Allowance(2**20, 0.3))
    with archive(image, **{kind: lambda handler: answers.drip(handler, before, 0.05)}) as (url, _):
        assert "no complete answer within 0.3 s" in refusal(url, tmp_path)


def test_pages_without_end(image: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_more(handler: BaseHTTPRequestHandler) -> None:
        offset = int((handler.path + "&offset=0").partition("offset=")[2].partition("&")[0])
        keyword = "SeriesInstanceUID" if kind_of(handler.path) == "series" else "SOPInstanceUID"
        answers.whole(handler, listing(item(**{keyword: f"1.2.9.{offset}", "Modality": "CT"})))

    monkeypatch.setattr(limits, "SERIES", 20)
    with archive(image, series=one_more) as (url, paths):
        assert refusal(url, tmp_path) == f"{url}: more than 20 series in the study; give one with fewer"
    assert len(paths) == 21
    with archive(image, instances=one_more) as (url, paths):
        problem = refusal(url, tmp_path, max_instances=20)
        assert problem == f"{url}: more than 20 images in the study; give one with fewer"
    assert [kind_of(path) for path in paths].count("instances") == 21
    assert "image" not in map(kind_of, paths)
    monkeypatch.setattr(limits, "PAGES", 5)
    with archive(image, series=one_more) as (url, paths):
        assert f"{url}: a listing does not end (5 results so far; limits: 5 pages" in refusal(url, tmp_path)
    assert len(paths) == 5


def test_pages_share_bytes_and_seconds(image: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_more(handler: BaseHTTPRequestHandler) -> None:
        offset = int((handler.path + "&offset=0").partition("offset=")[2].partition("&")[0])
        time.sleep(pause)
        answers.whole(handler, listing(item(SeriesInstanceUID=f"1.2.9.{offset}")) + b" " * 1000)

    pause = 0.0
    monkeypatch.setattr(limits, "ALL_PAGES", Allowance(10_000, 5.0))
    with archive(image, series=one_more) as (url, paths):
        assert "the answer has more than" in refusal(url, tmp_path)
    assert len(paths) == 10
    pause = 0.1
    monkeypatch.setattr(limits, "ALL_PAGES", Allowance(2**20, 0.5))
    with archive(image, series=one_more) as (url, paths):
        assert "s; see the server's log" in (message := refusal(url, tmp_path)) or "no complete answer" in message
    assert 3 <= len(paths) <= 5


def test_images_of_all_series_count_together(image: bytes, tmp_path: Path) -> None:
    series = listing(*(item(SeriesInstanceUID=f"1.2.8.{n}", Modality="CT") for n in range(3)))
    images = listing(*(item(SOPInstanceUID=f"1.2.9.{n}") for n in range(4)))
    gone: Answer = lambda handler: answers.whole(handler, b"", JSON, 404)  # noqa: E731
    with archive(
        image,
        series=lambda handler: answers.whole(handler, series),
        instances=lambda handler: answers.whole(handler, images),
        image=gone,
    ) as (url, paths):
        assert "more than 9 images in the study" in refusal(url, tmp_path, max_instances=9)
    assert [kind_of(path) for path in paths].count("image") == 2, "two series fail at their first image"


def test_failed_images_count_for_the_size_of_the_study(image: bytes, tmp_path: Path) -> None:
    series = listing(*(item(SeriesInstanceUID=f"1.2.8.{n}", Modality="CT") for n in range(50)))
    wrong: Answer = lambda handler: answers.whole(handler, bytes(100_000), PART)  # noqa: E731
    with archive(image, series=lambda handler: answers.whole(handler, series), image=wrong) as (url, paths):
        assert "GiB in the study; give a smaller one" in refusal(url, tmp_path, max_bytes=300_000)
    assert [kind_of(path) for path in paths].count("image") == 3


def test_study_that_takes_too_long(image: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STUDY_SECONDS", 0.0)
    with archive(image) as (url, _):
        assert "the study was not fetched within 0 h" in refusal(url, tmp_path)


@pytest.mark.parametrize(
    ("body", "headers", "problem"),
    [
        (PART_HEAD + bytes(200), {}, "the answer ends within the image"),
        (PART_HEAD + bytes(200), {"Content_Length": "999"}, "the connection was lost within an answer"),
        (PART_HEAD + bytes(200) + PART_TAIL, {"Content_Length": "100"}, "the answer ends within the image"),
        (b"5\r\n--lim\r\n", {"Transfer_Encoding": "chunked"}, "the connection was lost within an answer"),
        (PART_HEAD + b"a\r\n" + PART_HEAD + b"b" + PART_TAIL, {}, "the answer has several parts, one image expected"),
        (PART_HEAD + b"no DICOM" + PART_TAIL, {}, "not readable as DICOM"),
        (b"", {}, "the connection was lost within an answer"),
        (b"", {"Content_Length": "0"}, "the answer ends within the image"),
        (b"<html>", {"type": "text/html"}, "the answer is not of the media type multipart/related"),
    ],
)
def test_damaged_image(image: bytes, tmp_path: Path, body: bytes, headers: dict[str, str], problem: str) -> None:
    """Cut short, longer than stated, cut within a chunk, two images, another file, nothing, an empty body, a page."""
    content_type = headers.get("type", PART)
    more = {name: value for name, value in headers.items() if name != "type"}

    def send(handler: BaseHTTPRequestHandler) -> None:
        answers.start(handler, content_type, Connection="close", **more)
        handler.wfile.write(body)

    with archive(image, image=send) as (url, _):
        assert problem in refusal(url, tmp_path)


def test_another_image_than_the_requested_one(image: bytes, tmp_path: Path) -> None:
    other = listing(item(SOPInstanceUID="1.2.9"))
    with archive(image, instances=lambda handler: answers.whole(handler, other)) as (url, _):
        assert "CT series 0, image 1: received another image than the requested one" in refusal(url, tmp_path)


@pytest.mark.parametrize("status", [302, 308, 404, 500, 503])
@pytest.mark.parametrize("kind", ["series", "image"])
def test_body_of_an_error_is_not_read(image: bytes, tmp_path: Path, kind: str, status: int) -> None:
    def send(handler: BaseHTTPRequestHandler) -> None:
        answers.start(handler, JSON, status, Location="http://[other", Connection="close")
        for _ in range(2000):
            handler.wfile.write(PADDING[0])

    with archive(image, **{kind: send}) as (url, paths):
        problem = refusal(url, tmp_path)
    if status < 400:
        assert "redirects to another address" in problem
    else:
        assert "the study was not found" in problem or f"the server responded with HTTP {status}" in problem
    assert [kind_of(path) for path in paths].count(kind) == (4 if status == 503 else 1)


def test_a_connection_is_used_again_and_cookies_are_not_kept(image: bytes, tmp_path: Path) -> None:
    seen = []

    def remember(handler: BaseHTTPRequestHandler) -> None:
        seen.append((handler.client_address, handler.headers["Cookie"]))
        answers.whole(handler, listing(item(SeriesInstanceUID=SERIES, Modality="CT")), Set_Cookie="a=b")

    with archive(image, series=remember) as (url, _):
        fetch(url, tmp_path)
    assert len(seen) == 2
    assert len(set(seen)) == 1
    assert seen[0][1] is None


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"3",
        b"[3]",
        b"[[]]",
        b'{"0020000E":',
        b"[{}] x",
        b"[" * 100_000,
        b"[{}, " + b"[" * 100 + b"]" * 100 + b"]",
        b'[{"00400275": ' + b"[" * 100 + b"]" * 100 + b"}]",
        b'["' + b"x" * 200_000,
        b'[{"0020000E": {"Value": ["' + b"x" * 200_000 + b'"]}}]',
        b'[{"0020000E": {"Value": [1e999999]}}',
        b'[{"0020000E": {"Value": ["\xff"]}}]',
    ],
)
def test_listing_that_is_no_listing(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "VALUE_BYTES", 2**16)
    with pytest.raises(InvalidJSONError, match=r"^not DICOM JSON$"):
        list(read_items(BytesIO(body), ["SeriesInstanceUID"]))


def test_items_of_a_listing() -> None:
    items = [
        item(SeriesInstanceUID="1.2", SeriesNumber=7, Modality="CT"),
        {"0020000E": {"vr": "UI", "Value": ["1.3", "1.4"]}, "00080060": {"vr": "CS"}},
        {"00400275": {"vr": "SQ", "Value": [item(SeriesInstanceUID="9.9", Modality="MR")]}},
        {"0020000E": {"vr": "UI", "Value": [None, "1" * 100]}, "00100010": {"Value": [{"Alphabetic": "x"}]}},
        {"0020000E": ["5.5"], "00080060": {"Value": "MR"}},
    ]
    expected = [
        {"SeriesInstanceUID": "1.2", "SeriesNumber": 7, "Modality": "CT"},
        {"SeriesInstanceUID": "1.3"},
        {},
        {"SeriesInstanceUID": "1" * 65},
        {},
    ]
    keywords = ["SeriesInstanceUID", "SeriesNumber", "Modality"]
    assert list(read_items(BytesIO(json.dumps(items).encode()), keywords)) == expected
    assert list(read_items(BytesIO(json.dumps(items[0]).encode()), keywords)) == expected[:1]
    assert list(read_items(BytesIO(b" \n"), keywords)) == []
    many = items * 2000  # several blocks
    assert list(read_items(BytesIO(json.dumps(many).encode()), keywords)) == expected * 2000


def stored(folder: Path, image: bytes) -> Path:
    path = folder / "mask.dcm"
    path.write_bytes(image)
    return path


@pytest.mark.parametrize(
    ("send", "problem"),
    [
        (lambda handler: answers.endless(handler, PADDING, JSON), "more than 0.0625 MiB, the limit"),
        (lambda handler: answers.whole(handler, gzip.compress(b"{}"), Content_Encoding="gzip"), "is compressed"),
        (lambda handler: answers.drip(handler, b"HTTP/1.1 200 OK\r\n", 0.05), "no complete answer within 0.3 s"),
        (lambda handler: answers.whole(handler, b"", JSON, 302, Location="http://other/"), "redirects to other"),
    ],
    ids=["endless", "compressed", "drip", "redirect"],
)
def test_answer_to_a_stored_mask(
    image: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, send: Answer, problem: str
) -> None:
    if "0.3 s" in problem:
        monkeypatch.setattr(limits, "STORE", Allowance(2**16, 0.3))
    path = stored(tmp_path, image)
    with archive(image, studies=send) as (url, _):
        assert problem in store_files(url, [path])[path]


@pytest.mark.parametrize("body", [b"[" * 50_000, b'{"00081198": 3}', b'{"00081199": {"vr": "SQ", "Value": [7]}}', b"x"])
def test_after_a_meaningless_answer_the_server_is_asked_for_the_mask(image: bytes, tmp_path: Path, body: bytes) -> None:
    path, hosts = stored(tmp_path, image), []

    def send(handler: BaseHTTPRequestHandler) -> None:
        hosts.append(handler.headers.get_all("Host"))
        answers.whole(handler, body)

    with archive(image, studies=send) as (url, paths):
        assert store_files(url, [path]) == {}
    assert hosts == [[url.split("/")[2]]], "with the port"
    assert [kind_of(path) for path in paths] == ["studies", "instances"]
    nothing: Answer = lambda handler: answers.whole(handler, b"[]")  # noqa: E731
    with archive(image, studies=lambda handler: answers.whole(handler, body), instances=nothing) as (url, _):
        assert store_files(url, [path]) == {path: "mask.dcm: not stored, the server does not list it"}


def test_refusal_in_the_answer_to_a_stored_mask(image: bytes, tmp_path: Path) -> None:
    path, failed = stored(tmp_path, image), Dataset()
    failed.ReferencedSOPInstanceUID, failed.FailureReason = dcmread(path).SOPInstanceUID, 0xA700
    answer = Dataset()
    answer.FailedSOPSequence = [failed]
    with archive(image, studies=lambda h: answers.whole(h, answer.to_json().encode(), JSON, 409)) as (url, _):
        assert "the server refused it (failure reason A700H)" in store_files(url, [path])[path]
