"""Compressed streams are expanded to their end, and compared with what stands there."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

import numpy as np
import pytest

from s3net_monai.io import CaseError, expand
from s3net_monai.io.expand import GZIP, RAW_DEFLATE, ZLIB, ZLIB_OR_GZIP, fill

DATA = b"0123456789" * 50


def in_blocks(data: bytes, size: int) -> Iterator[bytes]:
    return iter([data[start : start + size] for start in range(0, len(data), size)])


def raw(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=RAW_DEFLATE)
    return stream.compress(data) + stream.flush()


PACKED = {
    "gzip": (gzip.compress(DATA, mtime=0), GZIP),
    "zlib": (zlib.compress(DATA), ZLIB),
    "either, gzip": (gzip.compress(DATA, mtime=0), ZLIB_OR_GZIP),
    "either, zlib": (zlib.compress(DATA), ZLIB_OR_GZIP),
    "raw": (raw(DATA), RAW_DEFLATE),
}


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("zeros", [0, 1, 700])
def test_whole_streams(kind: str, size: int, zeros: int) -> None:
    packed, wbits = PACKED[kind]
    assert b"".join(expand.expand("a", in_blocks(packed + bytes(zeros), size), wbits)) == DATA


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_members_of_gzip_follow_each_other(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expand, "EXPANDED_AT_ONCE", 64)
    packed = gzip.compress(DATA) + gzip.compress(b"") + gzip.compress(b"end") + bytes(512)
    blocks = list(expand.expand("a", in_blocks(packed, size), GZIP))
    assert b"".join(blocks) == DATA + b"end"
    assert max(len(block) for block in blocks) <= 64


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("size", [1, 1000])
def test_every_cut_is_noticed(kind: str, size: int) -> None:
    packed, wbits = PACKED[kind]
    for end in range(len(packed)):
        with pytest.raises(CaseError, match=r"^a: damaged or cut off \(.*\); copy the file again$"):
            list(expand.expand("a", in_blocks(packed[:end], size), wbits))


@pytest.mark.parametrize("kind", [kind for kind in PACKED if kind != "raw"])
def test_every_bit_of_checksum_and_length_counts(kind: str) -> None:
    packed, wbits = PACKED[kind]
    for position in range(len(packed) - (8 if "gzip" in kind else 4), len(packed)):
        for bit in range(8):
            damaged = bytearray(packed)
            damaged[position] ^= 1 << bit
            with pytest.raises(CaseError, match=r"incorrect (data|length) check"):
                list(expand.expand("a", iter([bytes(damaged)]), wbits))


@pytest.mark.parametrize("kind", PACKED)
def test_other_bytes_behind_the_end_are_refused(kind: str) -> None:
    packed, wbits = PACKED[kind]
    for rest in (b"x", b"\0\0x", packed[:1] + b"x"):
        with pytest.raises(CaseError, match="other bytes follow"):
            list(expand.expand("a", iter([packed + rest]), wbits))


def test_a_limit_applies_before_all_is_expanded() -> None:
    packed = gzip.compress(bytes(2**26))
    target, taken = np.empty(10, np.uint8), []

    def counted() -> Iterator[bytes]:
        for block in expand.expand("a", iter([packed]), GZIP):
            taken.append(len(block))
            yield block

    filled, left_over = fill(counted(), target.data, skip=5, spare=100)
    assert filled == 10
    assert len(left_over) == taken[0] - 15 > 100
    assert len(taken) == 1


def test_fill() -> None:
    target = np.zeros(4, np.uint8)
    assert fill(iter([b"ab", b"cd", b"ef"]), target.data, skip=3) == (3, b"")
    assert target.tobytes() == b"def\0"
    assert fill(iter([b"abc", b"def"]), target.data, spare=5) == (4, b"ef")
    assert target.tobytes() == b"abcd"
