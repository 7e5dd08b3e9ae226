"""Identifiers in DICOM headers, and their removal from texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from s3net_monai.inference.discovery.cases import Case
from s3net_monai.inference.discovery.identifiers import collect_identifiers, redact, reported_input, uids_in

PSEUDONYM = re.compile("anon-[0-9a-f]{6}")


def header(**tags: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dataset


JANE = collect_identifiers(
    header(
        PatientName="Müller^Jane^K^^Dr",
        PatientID="MRN-00417",
        OtherPatientIDs=["A17", "X99"],
        PatientBirthDate="19700131",
        AccessionNumber="ACC5521",
        ReferringPhysicianName="Li^Wei",
        InstitutionName="St. Anna Hospital",
        SeriesInstanceUID="1.2.3.4",
    )
)


@pytest.mark.parametrize(
    "text",
    [
        "Müller^Jane",
        "MÜLLER_JANE",
        "jane müller",
        "Mueller-Jane",
        "muller.jane",
        "MuellerJane",
        "müller",
        "mu\u0308ller",
        "x_jane_y",
        "MRN-00417",
        "mrn 00417",
        "mrn00417",
        "a17",
        "acc5521",
        "Li",
        "dr_li",
        "wei",
        "st_anna_hospital",
        "19700131",
        "1970-01-31",
        "31.01.1970",
        "01/31/1970",
        "1.2.3.4",
        "CT.1.3.12.2.1107.5.1.4.60064.30000022120808113428000016573",
    ],
)
def test_every_spelling_is_replaced(text: str) -> None:
    redacted = redact(f"case {text}: missing slice", JANE)
    assert PSEUDONYM.search(redacted)
    assert redacted.startswith("case ")
    assert redacted.endswith(": missing slice")
    assert not re.search(
        "m(ü|ue?)ller|jane|00417|a17|5521|wei|anna|1970|1\\.2\\.3|1107|\\bli\\b", redacted, re.IGNORECASE
    )


@pytest.mark.parametrize("text", ["a list of alive slices", "1.2.840.10008.1.2.4.70", "anon-123456", "K", "2021-01-31"])
def test_other_text_is_kept(text: str) -> None:
    assert redact(text, JANE) == text


def test_a_name_has_one_pseudonym_in_any_order_and_run() -> None:
    redacted = {redact(text, JANE) for text in ("Müller^Jane", "JANE_MÜLLER", "jane, müller")}
    assert len(redacted) == 1
    assert redacted == {redact("müller jane", collect_identifiers(header(PatientName="MÜLLER^JANE")))}


def test_without_identifiers_nothing_changes() -> None:
    text = "Müller 1.3.12.2.1107.5.1.4.60064"
    assert redact(text, frozenset()) == text
    assert collect_identifiers(header(PatientName="", PatientID=None, StudyDate="20200101")) == frozenset()


def test_middle_initial_is_no_identifier() -> None:
    assert not any(len(item) == 1 for item in JANE)


def test_uids_of_a_path() -> None:
    assert uids_in(Path("/a/1.3.12.2.1107.5/CT.1.3.12.2.1107.6.dcm")) == {"1.3.12.2.1107.5", "1.3.12.2.1107.6"}


def test_reported_input() -> None:
    case = Case(
        case_id="x",
        input=Path("/data/MUELLER_JANE/ct"),
        image=(Path("x"),),
        kind="dicom_series",
        identifiers=JANE,
    )
    assert re.fullmatch("/data/anon-[0-9a-f]{6}/ct", reported_input(case))


letters = st.characters(categories=["Lu", "Ll", "Lo", "Nd"], exclude_characters="abcdefABCDEFnoNO0123456789")
tokens = st.text(letters, min_size=3, max_size=12)
separators = st.sampled_from(["^", "_", "-", " ", ".", ""])


@settings(max_examples=300, deadline=None)
@given(
    name=st.lists(tokens, min_size=1, max_size=3),
    order=st.randoms(use_true_random=False),
    separator=separators,
    surrounding_text=st.tuples(st.text(max_size=20), st.text(max_size=20)),
    change_case=st.sampled_from([str.lower, str.upper, str.title, str]),
)
def test_no_name_survives(
    name: list[str], order: Random, separator: str, surrounding_text: tuple[str, str], change_case: Callable[[str], str]
) -> None:
    identifiers = collect_identifiers(header(PatientName="^".join(name), PatientID="".join(reversed(name[0])) + "77"))
    assume(identifiers)
    written = list(name)
    order.shuffle(written)
    text = surrounding_text[0] + change_case(separator.join(written)) + surrounding_text[1]
    redacted = redact(text, identifiers)
    assert not any(part.casefold() in PSEUDONYM.sub("", redacted).casefold() for part in name)
    assert redact(redacted, identifiers) == redacted


@settings(max_examples=200, deadline=None)
@given(text=st.text(), identifiers=st.frozensets(st.text(max_size=10), max_size=5))
def test_any_text_and_any_identifiers_are_accepted(text: str, identifiers: frozenset[str]) -> None:
    redacted = redact(text, identifiers)
    for item in identifiers:
        if len(item) >= 3 and item.isascii() and item.isalpha():
            assert item.lower() not in PSEUDONYM.sub("", redacted).lower()
