"""Pseudonyms: keyed hashes of values."""

from __future__ import annotations

import hashlib

from s3net_monai.inference.discovery import spellings
from s3net_monai.inference.discovery.header_values import collect_identifiers
from s3net_monai.inference.discovery.identifiers import redact as redact_by
from s3net_monai.utils.pseudonyms import Pseudonyms
from tests.helpers.identifying_headers import PSEUDONYM, SECRET, header, redact


def test_a_number_cannot_be_found_without_the_secret() -> None:
    identifiers = collect_identifiers(header(PatientID="4711815"))
    digits = PSEUDONYM.findall(redact("4711815", identifiers))[0].removeprefix("anon-")
    for prefix in ("", "s3net", "s3net\0", "value ", "PatientID"):  # what an unsalted hash could have been made of
        hashes = {name: getattr(hashlib, name)(f"{prefix}4711815".encode()).hexdigest() for name in ("sha256", "md5")}
        assert not any(digits in text for text in hashes.values())
    other = redact_by("4711815", identifiers, Pseudonyms(lambda: bytes(32)))
    assert other != f"anon-{digits}"


def test_patients_have_different_pseudonyms() -> None:
    numbers = [f"{number:07d}" for number in range(100_000, 120_000)]
    names = Pseudonyms(lambda: SECRET)
    assert len({names.of(spellings.meaning_of(number), number) for number in numbers}) == len(numbers)
    assert spellings.meaning_of("1-23") != spellings.meaning_of("12-3")
    assert spellings.meaning_of("12-34") != spellings.meaning_of("34-12")


def test_a_check_value_tells_secrets_apart_and_is_the_pseudonym_of_nothing() -> None:
    names, alike, other = (Pseudonyms(lambda secret=secret: secret) for secret in (SECRET, SECRET, bytes(32)))
    assert names.check == ""  # no pseudonym was made
    for one in (names, alike, other):
        one.of("doe", "doe")
    assert names.check == alike.check != other.check
    assert names.of("check", "check") != f"anon-{names.check}"
