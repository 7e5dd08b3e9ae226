"""Identifiers: which a header gives, and that no text keeps one."""

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
from s3net_monai.inference.discovery.identifiers import collect, redact, reported_input, uids_in

PSEUDONYM = re.compile("anon-[0-9a-f]{6}")


def header(**tags: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dataset


JANE = collect(
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
def test_found_in_whatever_spelling(text: str) -> None:
    shown = redact(f"case {text}: missing slice", JANE)
    assert PSEUDONYM.search(shown)
    assert shown.startswith("case ")
    assert shown.endswith(": missing slice")
    assert not re.search("m(ü|ue?)ller|jane|00417|a17|5521|wei|anna|1970|1\\.2\\.3|1107|\\bli\\b", shown, re.IGNORECASE)


@pytest.mark.parametrize("text", ["a list of alive slices", "1.2.840.10008.1.2.4.70", "anon-123456", "K", "2021-01-31"])
def test_other_text_stays(text: str) -> None:
    assert redact(text, JANE) == text


def test_one_name_has_one_pseudonym_in_every_order_and_run() -> None:
    shown = {redact(text, JANE) for text in ("Müller^Jane", "JANE_MÜLLER", "jane, müller")}
    assert len(shown) == 1
    assert shown == {redact("müller jane", collect(header(PatientName="MÜLLER^JANE")))}


def test_without_identifiers_nothing_changes() -> None:
    text = "Müller 1.3.12.2.1107.5.1.4.60064"
    assert redact(text, frozenset()) == text
    assert collect(header(PatientName="", PatientID=None, StudyDate="20200101")) == frozenset()


def test_a_middle_initial_is_no_identifier() -> None:
    assert not any(len(item) == 1 for item in JANE)


def test_uids_of_a_path() -> None:
    assert uids_in(Path("/a/1.3.12.2.1107.5/CT.1.3.12.2.1107.6.dcm")) == {"1.3.12.2.1107.5", "1.3.12.2.1107.6"}


def test_reported_input() -> None:
    case = Case("x", Path("/data/MUELLER_JANE/ct"), (Path("x"),), "dicom", identifiers=JANE)
    assert re.fullmatch("/data/anon-[0-9a-f]{6}/ct", reported_input(case))


letters = st.characters(categories=["Lu", "Ll", "Lo", "Nd"], exclude_characters="abcdefABCDEFnoNO0123456789")
tokens = st.text(letters, min_size=3, max_size=12)
separators = st.sampled_from(["^", "_", "-", " ", ".", ""])


@settings(max_examples=300, deadline=None)
@given(
    name=st.lists(tokens, min_size=1, max_size=3),
    order=st.randoms(use_true_random=False),
    separator=separators,
    around=st.tuples(st.text(max_size=20), st.text(max_size=20)),
    change=st.sampled_from([str.lower, str.upper, str.title, str]),
)
def test_no_name_survives(
    name: list[str], order: Random, separator: str, around: tuple[str, str], change: Callable[[str], str]
) -> None:
    identifiers = collect(header(PatientName="^".join(name), PatientID="".join(reversed(name[0])) + "77"))
    assume(identifiers)
    written = list(name)
    order.shuffle(written)
    text = around[0] + change(separator.join(written)) + around[1]
    shown = redact(text, identifiers)
    assert not any(part.casefold() in PSEUDONYM.sub("", shown).casefold() for part in name)
    assert redact(shown, identifiers) == shown


@settings(max_examples=200, deadline=None)
@given(text=st.text(), identifiers=st.frozensets(st.text(max_size=10), max_size=5))
def test_any_text_and_any_identifier_can_be_taken(text: str, identifiers: frozenset[str]) -> None:
    shown = redact(text, identifiers)
    for item in identifiers:
        if len(item) >= 3 and item.isascii() and item.isalpha():
            assert item.lower() not in PSEUDONYM.sub("", shown).lower()
