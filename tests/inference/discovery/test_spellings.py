"""Identifiers are found in every usual spelling, and not inside other words."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from s3net_monai.inference.discovery.header_values import collect_identifiers
from s3net_monai.inference.discovery.identifiers import redact as redact_by
from s3net_monai.inference.discovery.identifying_attributes import COMMON_WORDS
from s3net_monai.utils.pseudonyms import Pseudonyms
from tests.helpers.identifying_headers import JANE, PSEUDONYM, SECRET, header, redact


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
        "ACC_5521",
        "Li",
        "dr_li",
        "wei",
        "ota, ken",
        "st_anna_hospital",
        "19700131",
        "1970-01-31",
        "31.01.1970",
        "01/31/1970",
        "1970_01_31",
        "31-Jan-1970",
        "31. January 1970",
        "31.1.1970",
        "31.01.70",
        "700131",
        "20240203",
        "2024/02/03",
        "3.2.2024",
        "2023-11-05T10:15:30",
        "20231105101530",
        "2023-11-05101530",
        "05.11.2023101530",
        "10-15-30",
        "101530.250",
        "+49 30 1234567",
        "0301234567",
        "030-123-4567",
        "01512345678",
        "musterstr_12",
        "10115_koeln",
        "1.2.3.4",
        "1_2_3_55_66_77_88",
        "CT.1.3.12.2.1107.5.1.4.60064.30000022120808113428000016573",
        "thorax_MIT_km",
        "rp-0815",
        "old2244",
    ],
)
def test_every_spelling_is_replaced(text: str) -> None:
    redacted = redact(f"case {text}: missing slice", JANE)
    assert PSEUDONYM.search(redacted)
    assert redacted.startswith("case ")
    assert redacted.endswith(": missing slice")
    rest = PSEUDONYM.sub("", redacted)
    assert not re.search("m(ü|ue?)ller|jane|wei|ota|anna|mrn|acc|muster|k(oe|ö)ln|thorax|old|rp|\\bli\\b", rest, re.I)
    assert not re.search(r"[1-9]\d", rest)


@pytest.mark.parametrize(
    "text",
    [
        "a list of alive slices",
        "1.2.840.10008.1.2.4.70",
        "anon-123456abcdef",
        "K",
        "2021-01-31",
        "thoracic, mit",
        "1417 a170",
        "dr. x",
    ],
)
def test_other_text_is_kept(text: str) -> None:
    assert redact(text, JANE) == text


def test_a_name_has_one_pseudonym_in_any_order_spelling_and_run() -> None:
    written = ("Müller^Jane", "JANE_MÜLLER", "jane, müller", "MuellerJane", "muller jane")
    redacted = {redact(text, JANE) for text in written}
    assert len(redacted) == 1
    assert redacted == {redact("müller jane", collect_identifiers(header(PatientName="MÜLLER^JANE")))}
    dates = {redact(text, JANE) for text in ("19700131", "31.01.1970", "1970_01_31", "31 Jan 1970", "700131")}
    assert len(dates) == 1


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("Sørensen", "sorensen SOERENSEN Sørensen"),
        ("Wałęsa", "walesa Wałesa WAŁĘSA"),
        ("Y\u0131lmaz", "yilmaz YILMAZ"),
        ("Øbjørnson", "Objornson oebjoernson"),
        ("Ærøskøb", "aeroskob Aeroeskoeb"),
        ("Ångström", "angstrom Angstroem AANGSTROEM"),
        ("Đoković", "dokovic Djokovic"),
        ("Þórsson", "thorsson"),
        ("Großmann", "grossmann"),
        ("Παπαδόπουλος", "παπαδοπουλος ΠΑΠΑΔΟΠΟΥΛΟΣ"),
        ("Сергеёв", "сергеев"),
        ("Гайдёй", "гаидеи"),
    ],
)
def test_letters_have_their_usual_spellings_and_none_is_left_out(name: str, paths: str) -> None:
    found = collect_identifiers(header(PatientName=name))
    assert PSEUDONYM.sub("", redact(paths, found)).strip() == ""


@pytest.mark.parametrize(("name", "text"), [("Øyer", "layer_player yer"), ("Łęga", "omega_1 ga"), ("Đặng", "dong_ng")])
def test_no_rest_of_a_name_spoils_other_words(name: str, text: str) -> None:
    assert redact(text, collect_identifiers(header(PatientName=name))) == text


def test_short_names_are_replaced_where_they_stand_alone() -> None:
    found = collect_identifiers(header(PatientName="Lee^Ian", ReferringPhysicianName="Ann^Eva", StationName="A17B2"))
    for text in ("brian_martian", "evaluation_set", "planning annotated", "Leerdam", "sleepEvaluation", "xa17b2y"):
        assert redact(text, found) == text
    for text in ("ian", "_IAN_", "Ian2", "2ian", "scanIan", "CTIanLee", "IanLee7", "leeian", "EvaScan", "wardA17B2"):
        assert PSEUDONYM.search(redact(text, found)), text
    two = collect_identifiers(header(PatientName="Wu^Li"))
    assert PSEUDONYM.fullmatch(redact("scan_Wu2", two).removeprefix("scan_").removesuffix("2"))
    chinese = collect_identifiers(header(PatientName="王小东"))
    assert PSEUDONYM.sub("", redact("患者王小东左肺", chinese)) == "患者左肺"


def test_a_family_name_of_several_words_is_found_in_one_word() -> None:
    found = collect_identifiers(header(PatientName="van der Berg^Jo"))
    for text in ("vanderberg", "jovanderberg", "vanderbergjo", "VanDerBerg", "berg_van_der"):
        assert not re.search("van|der|berg", PSEUDONYM.sub("", redact(text, found)), re.I), text


def test_a_person_has_one_pseudonym_whatever_the_case_of_the_header() -> None:
    names = ("de Vries^Jan", "DE VRIES^JAN", "De Vries^jan")
    assert len({redact("jan_de_vries", collect_identifiers(header(PatientName=name))) for name in names}) == 1


@pytest.mark.parametrize("stated", ["+491764455667", "00491764455667", "+49 176 4455667", "+49 (0)176 4455667"])
@pytest.mark.parametrize("written", ["01764455667", "0176-44 55 667", "1764455667", "+491764455667"])
def test_a_telephone_number_is_found_without_the_code_of_its_country(stated: str, written: str) -> None:
    found = collect_identifiers(header(PatientTelephoneNumbers=stated))
    assert "4455" not in re.sub(r"\W", "", PSEUDONYM.sub("", redact(f"x_{written}_y", found)))


letters = st.characters(categories=["Lu", "Ll", "Lo", "Nd"], exclude_characters="abcdefABCDEFnoNO0123456789")
tokens = st.text(letters, min_size=6, max_size=12).filter(lambda text: text.casefold() not in COMMON_WORDS)
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
    pseudonyms = Pseudonyms(lambda: SECRET)
    redacted = redact_by(text, identifiers, pseudonyms)
    assert not any(part.casefold() in PSEUDONYM.sub("", redacted).casefold() for part in name)
    assert redact_by(redacted, identifiers, pseudonyms) == redacted


@settings(max_examples=200, deadline=None)
@given(
    day=st.dates(min_value=date(1900, 1, 1), max_value=date(2099, 12, 31)),
    form=st.sampled_from(["%Y%m%d", "%Y-%m-%d", "%d.%m.%Y", "%Y_%m_%d", "%m/%d/%Y", "%d%m%Y", "%d %b %Y", "%d.%m.%y"]),
    around=st.sampled_from([("", ""), ("CT_", "_01"), ("/data/", "/x"), ("a", "b")]),
)
def test_no_date_survives(day: date, form: str, around: tuple[str, str]) -> None:
    identifiers = collect_identifiers(header(AcquisitionDate=f"{day:%Y%m%d}"))
    redacted = redact(f"{around[0]}{day:{form}}{around[1]}", identifiers)
    assert re.fullmatch(f"{around[0]}{PSEUDONYM.pattern}{around[1]}", redacted)


@settings(max_examples=200, deadline=None)
@given(
    digits=st.text("0123456789", min_size=7, max_size=12).filter(lambda text: text.lstrip("0")[6:]),
    cuts=st.lists(st.integers(1, 11), max_size=3),
    separator=st.sampled_from(["-", " ", "/", ".", "_", ""]),
)
def test_no_number_survives(digits: str, cuts: list[int], separator: str) -> None:
    identifiers = collect_identifiers(header(PatientTelephoneNumbers=digits))
    edges = [0, *sorted({cut for cut in cuts if cut < len(digits)}), len(digits)]
    written = separator.join(digits[first:last] for first, last in pairwise(edges))
    assert not re.search(r"[1-9]\d", PSEUDONYM.sub("", redact(f"tel {written}.nii", identifiers)))
