"""The key of a run: a private table that undoes pseudonyms, and the secret by which the next run makes the same ones.

A CSV file with a row of the kind "secret", one of the kind "case" for every case, and one of the kind "pseudonym" for
every pseudonym in names and reports. A spreadsheet takes a value that begins with ``=``, ``+``, ``-`` or ``@`` for a
formula, which can send the table away. Such values have an apostrophe in front, which a spreadsheet reads as "text".
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from s3net_monai.inference.discovery.cases import Case
from s3net_monai.io import CaseError
from s3net_monai.io.dicom.files import read_header
from s3net_monai.utils.errors import UsageError
from s3net_monai.utils.locks import exclusive_lock
from s3net_monai.utils.output_paths import check_output_file, os_error_line
from s3net_monai.utils.pseudonyms import Pseudonyms
from s3net_monai.utils.secret import NUM_BYTES, new_secret, parse_secret, private_file

HEADER_KEYWORDS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")
CASE_COLUMNS = ("case_id", "source", *HEADER_KEYWORDS)  # all columns of earlier versions
COLUMNS = ("kind", *CASE_COLUMNS, "pseudonym", "original")
MAX_VALUE = 4096  # characters
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "'")

Row = dict[str, str]


def check_key(path: Path, output: Path) -> None:
    """Refuse a key that would be passed on together with the masks, or that would replace another file.

    Raises:
        UsageError: when the path is inside the output folder, is not writable, is a link, holds something else than a
            key, or a key with a damaged secret.
    """
    if path.resolve().is_relative_to(output.resolve()):
        raise UsageError(
            f"{path}: inside {output}, so whoever gets the masks would get the names; give --key a path outside of it"
        )
    check_output_file(path)
    _secret_in(_read(path), path)


def pseudonyms_of_key(path: Path) -> Pseudonyms:
    """Return pseudonyms with the secret of a key, which is made with the first of them.

    Shards that share the file share the secret, whichever comes first.

    Raises:
        UsageError: when the file there is not a key, or its secret is damaged.
    """

    def load_secret() -> bytes:
        path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(_lock_of(path)):
            rows = _read(path)
            secret = _secret_in(rows, path)
            if secret is None:
                secret = new_secret()
                _write(path, [_row("secret", original=secret.hex()), *rows])
        return secret

    return Pseudonyms(load_secret)


def write_key(
    path: Path, cases: Sequence[Case], *, originals: Mapping[str, str] | None = None, study: str | None = None
) -> None:
    """Write the case names with their sources, what DICOM headers say, and what pseudonyms stand for.

    The owner of the file alone can read it. Rows of other cases and pseudonyms, from earlier runs, are kept. Every
    shard of a run writes the rows of all cases.

    Args:
        path: the file.
        cases: all cases of the run, the same for every shard.
        originals: by pseudonym, the value that it stands for.
        study: StudyInstanceUID of cases from a DICOMweb server, which have no path of their own.

    Raises:
        UsageError: when the file there is not a key.
    """
    rows = [_row_of_case(case, study) for case in cases]
    rows += [_row("pseudonym", pseudonym=name, original=value) for name, value in (originals or {}).items()]
    own = {_identity(row) for row in rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(_lock_of(path)):
        _write(path, [*(row for row in _read(path) if _identity(row) not in own), *rows])


def read_originals(path: Path) -> dict[str, str]:
    """Return, by pseudonym, the value that it stands for.

    Raises:
        UsageError: when the file is not there, or is not a key.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file; give the file that --key wrote")
    return {row["pseudonym"]: row["original"] for row in _read(path) if row["kind"] == "pseudonym"}


def _secret_in(rows: Sequence[Row], path: Path) -> bytes | None:
    """Return the secret of a key, or None where it has no row for one; a second one would give all cases new names."""
    secrets = {parse_secret(row["original"]) for row in rows if row["kind"] == "secret"}
    if len(secrets) > 1 or None in secrets:
        raise UsageError(
            f"{path}: one secret of {2 * NUM_BYTES} hexadecimal digits expected in the row of the kind 'secret', which "
            "is damaged; restore the file from a copy, or give --key another path, and names change"
        )
    return next(iter(secrets), None)


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _identity(row: Row) -> tuple[str, ...]:
    return row["kind"], row["case_id"], row["source"], row["pseudonym"]


def _read(path: Path) -> list[Row]:
    if path.is_symlink():  # writing would replace the link and leave the file behind it as it is
        raise UsageError(f"{path}: a link; give --key the path of the file itself")
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            header, *rows = list(csv.reader(file)) or [list(COLUMNS)]
    except OSError as error:
        raise UsageError(os_error_line(error)) from error
    except csv.Error:
        header, rows = [], []
    if tuple(header) == CASE_COLUMNS:  # of a version without secrets: its rows are kept, and a secret is added
        return [_row("case", **dict(zip(header, values, strict=False))) for values in rows]
    if tuple(header) != COLUMNS:
        raise UsageError(f"{path}: exists and is not the key of a run; give --key another path")
    return [_row(**dict(zip(header, map(_plain, values), strict=False))) for values in rows]


def _write(path: Path, rows: Sequence[Row]) -> None:
    with private_file(path) as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([_safe(row[column]) for column in COLUMNS] for row in rows)


def _safe(value: str) -> str:
    value = value.replace("\0", "")[:MAX_VALUE]
    return f"'{value}" if value.startswith(_FORMULA_STARTS) else value


def _plain(value: str) -> str:
    return value[1:] if value.startswith("'") else value


def _row(kind: str, **values: str) -> Row:
    return {**dict.fromkeys(COLUMNS, ""), "kind": kind, **values}


def _row_of_case(case: Case, study: str | None) -> Row:
    source = os.path.abspath(case.input) if study is None else f"DICOMweb study {study}"
    return _row("case", case_id=case.case_id, source=source, **_from_header(case))


def _from_header(case: Case) -> Row:
    if case.kind not in ("dicom_series", "dicom_vl_image"):
        return {}
    try:
        header = read_header(case.image[0], HEADER_KEYWORDS)
    except CaseError:  # the report says what is wrong with it
        return {}
    return {keyword: str(header.get(keyword) or "") for keyword in HEADER_KEYWORDS}
