"""Removal of identifiers from paths and messages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3net_monai.inference.discovery import spellings
from s3net_monai.inference.discovery.cases import Case
from s3net_monai.inference.discovery.header_values import collect_identifiers
from s3net_monai.inference.discovery.identifiers import IdentifierIndex, redact_message, reported_input, uids_in
from s3net_monai.inference.discovery.identifiers import redact as redact_by
from s3net_monai.utils.pseudonyms import Pseudonyms
from tests.helpers.identifying_headers import JANE, PSEUDONYM, SECRET, header, redact


def test_only_pseudonyms_of_this_run_are_kept() -> None:
    found = collect_identifiers(header(PatientID="123456789012"))
    redacted = redact("anon-123456789012", found)
    assert "123456789012" not in redacted
    assert PSEUDONYM.search(redacted)


def test_without_identifiers_nothing_changes() -> None:
    text = "Müller 1.3.12.2.1107.5.1.4.60064"
    assert redact(text, frozenset()) == text
    assert collect_identifiers(header(PatientName="", PatientID=None, StudyDate="")) == frozenset()


def test_uids_of_a_path() -> None:
    found = {identifier.value for identifier in uids_in(Path("/a/1.3.12.2.1107.5/CT.1.3.12.2.1107.6.dcm"))}
    assert found == {"1.3.12.2.1107.5", "1.3.12.2.1107.6"}


def test_reported_input() -> None:
    case = Case(
        case_id="x",
        input=Path("/data/MUELLER_JANE/ct"),
        image=(Path("x"),),
        kind="dicom_series",
        identifiers=JANE,
    )
    assert re.fullmatch("/data/anon-[0-9a-f]{12}/ct", reported_input(case, Pseudonyms(lambda: SECRET)))


def test_a_number_of_bytes_in_a_message_is_its_own() -> None:
    found = collect_identifiers(header(PatientID="131072"))
    case = Case(case_id="x", input=Path("/a/131072 bytes x"), image=(), kind="dicom_series", identifiers=found)
    names = Pseudonyms(lambda: SECRET)
    message = "pixel data truncated, 131072 bytes found"
    assert redact_message(message, case, names) == message
    assert "131072" not in redact_message("131072 pixels", case, names)
    assert redact_message("131072 bytes x: cut", case, names).endswith(" bytes x: cut")
    assert "131072" not in redact_message("131072 bytes x: cut", case, names)  # the name of the folder


def test_the_index_finds_what_a_search_through_all_finds() -> None:
    others = collect_identifiers(header(PatientName="Quax^Udo", PatientID="778899", StudyDate="20190909"))
    index = IdentifierIndex(JANE | others)
    for text in ("/a/jane_muller/x", "/a/1970_01_31", "/b/b030-1234567", "/c/quax", "/c/778899", "/d/09.09.2019", "/e"):
        assert redact(text, index.found_in(text)) == redact(text, JANE | others), text
    assert index.found_in("/e/f") == frozenset()


@pytest.mark.parametrize(
    "text", ["19700131", "31.01.1970", "700131", "31.01.70", "31.1.70", "1-31-70", "31Jan70", "70 January 31", "310170"]
)
def test_the_index_finds_every_spelling_of_a_date(text: str) -> None:
    index = IdentifierIndex(collect_identifiers(header(PatientBirthDate="19700131")))
    assert PSEUDONYM.fullmatch(redact(text, index.found_in(f"/a/{text}.nii.gz")))


@settings(max_examples=200, deadline=None)
@given(text=st.text(), values=st.lists(st.text(max_size=10), max_size=5))
def test_any_text_and_any_values_are_accepted(text: str, values: list[str]) -> None:
    identifiers = frozenset(found for value in values for found in (*spellings.names(value), *spellings.value(value)))
    pseudonyms = Pseudonyms(lambda: SECRET)
    redacted = redact_by(text, identifiers, pseudonyms)
    assert redact_by(redacted, identifiers, pseudonyms) == redacted
    for one in identifiers:
        if one.kind == "name" and one.value.isascii() and one.value.isalpha() and len(one.value) >= 6:
            assert one.value.lower() not in PSEUDONYM.sub("", redacted).lower()
