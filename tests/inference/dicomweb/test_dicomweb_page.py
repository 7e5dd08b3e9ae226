"""The page on DICOMweb states the limits of the code."""

from __future__ import annotations

import re

from s3net_monai.inference.dicomweb import limits
from s3net_monai.inference.dicomweb.limits import Allowance
from tests.helpers.paths import ROOT


def shown(allowance: Allowance) -> str:
    gib = allowance.size / 2**30
    return f"{f'{gib:g} GiB' if gib >= 1 else f'{gib * 1024:g} MiB'}, {allowance.seconds:,.0f} s"


def test_the_limits_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "dicomweb.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", page.partition("## Limits")[2], re.MULTILINE))
    statuses = ", ".join(map(str, limits.RETRY_STATUSES))
    assert table == {
        "what": "limit",
        "one answer to a search": shown(limits.LISTING),
        "all pages of one listing": f"{limits.PAGES:,} pages, {shown(limits.ALL_PAGES)}",
        "one image": shown(limits.INSTANCE),
        "the answer to a stored mask": f"{shown(limits.STORE)} with the sending",
        "one study": f"{limits.SERIES:,} series, {limits.STUDY_INSTANCES:,} images, "
        f"{limits.STUDY_BYTES / 2**30:g} GiB, {limits.STUDY_SECONDS / 3600:g} h",
        "waiting": f"{limits.CONNECT_SECONDS:g} s for a connection, {limits.SILENCE_SECONDS:g} s for a byte",
        "tries": f"{limits.RETRIES} more after a lost connection, also within an answer, or HTTP {statuses}",
        "`Retry-After` of HTTP 429 and 503": f"up to {limits.PAUSE_SECONDS:g} s are waited for, up to "
        f"{limits.ALL_PAUSES_SECONDS:g} s in all; beyond that the error names the time",
    }
