"""The user's secret, by which pseudonyms stay the same from run to run."""

from __future__ import annotations

import logging
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from s3net_monai.inference import UsageError
from s3net_monai.utils.pseudonyms import Pseudonyms
from s3net_monai.utils.secret import secret_file, secret_of_user


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_the_secret_is_made_once_for_its_user_alone(state: Path) -> None:
    previous = os.umask(0)  # the least careful one
    try:
        secret = secret_of_user()
    finally:
        os.umask(previous)
    assert len(secret) == 32
    assert secret_of_user() == secret
    assert secret_file() == state / "s3net" / "secret"
    assert stat.S_IMODE(secret_file().stat().st_mode) == 0o600
    assert stat.S_IMODE(secret_file().parent.stat().st_mode) == 0o700


def test_it_is_below_the_home_where_the_state_is_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative/path"):  # a relative path is to be ignored
        monkeypatch.setenv("XDG_STATE_HOME", value)
        assert secret_file() == tmp_path / ".local" / "state" / "s3net" / "secret"


def test_two_users_have_different_pseudonyms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for user in ("a", "b"):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / user))
        names |= {Pseudonyms().of("doe", "doe"), Pseudonyms().of("doe", "doe")}
    assert len(names) == 2


@pytest.mark.usefixtures("state")
def test_runs_that_begin_at_once_get_the_same() -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len({future.result() for future in [pool.submit(secret_of_user) for _ in range(8)]}) == 1


def test_where_it_cannot_be_stored_names_change_and_a_warning_says_so(
    state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state.write_text("a file where a folder is needed")
    with caplog.at_level(logging.WARNING):
        assert secret_of_user() != secret_of_user()
    assert "the next run gives other names" in caplog.text


@pytest.mark.parametrize("text", ["", "no hexadecimal digits", "ab" * 31])
@pytest.mark.usefixtures("state")
def test_a_damaged_one_is_refused(text: str) -> None:
    secret_of_user()
    secret_file().write_text(text)
    with pytest.raises(UsageError, match="64 hexadecimal digits expected; give --key"):
        secret_of_user()


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_one_that_others_can_reach_is_restricted(mode: int) -> None:
    secret = secret_of_user()
    secret_file().chmod(mode)
    assert secret_of_user() == secret
    assert stat.S_IMODE(secret_file().stat().st_mode) == 0o600


@pytest.mark.usefixtures("state")
def test_one_whose_mode_cannot_be_changed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    secret_of_user()
    secret_file().chmod(0o644)
    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(UsageError, match="others can read or write this secret"):
        secret_of_user()
