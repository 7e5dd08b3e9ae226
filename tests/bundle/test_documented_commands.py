"""Every ``python -m monai.bundle run`` of the guides has keys that its configs have and use."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from s3net_monai.engines.config_keys import check_config_keys
from tests.helpers.paths import BUNDLES

PAGES = [*(BUNDLES.parent / "docs").glob("*.md"), *BUNDLES.glob("*/docs/*.md"), BUNDLES.parent / "README.md"]
START = "-m monai.bundle run "


def commands(page: Path) -> list[list[str]]:
    """The words of every command after ``monai.bundle``, its bundle's folder put in; a config of the user left out."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    text = text.replace("$C", "$B/configs").replace('"$B"', "$B")
    bundle = page.parents[1] if page.parents[2] == BUNDLES else None
    found = []
    for line in text.splitlines():
        named = re.search(r"\bB=bundle/(\w+)", line)
        bundle = BUNDLES / named[1] if named else bundle
        if START in line:
            command = line.split(START)[1].split(" # ")[0].replace("'mine.json',", "").replace(",'mine.json'", "")
            if bundle is not None:
                command = command.replace("$B", str(bundle)).replace("'configs/", f"'{bundle}/configs/")
            found.append(["run", *shlex.split(command.replace(" bundle/", f" {BUNDLES}/"))])
    return found


COMMANDS = [
    pytest.param(words, id=f"{page.stem}-{number}") for page in PAGES for number, words in enumerate(commands(page))
]


def test_commands_are_found() -> None:
    assert len(COMMANDS) > 10


@pytest.mark.parametrize("words", COMMANDS)
def test_keys_of_a_documented_command_exist_and_are_used(words: list[str]) -> None:
    check_config_keys(words)
