"""MkDocs hook: pages of the site that stand elsewhere in the repository, and links that work in both.

README, changelog, contributing guide and the bundles' cards are read where they are. In every page a relative link to
another page is turned into a link of the site; a link to any other file of the repository leads to its source there.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
TITLED_FENCE = re.compile(r"^```(\w+) ([\w.]+)$", re.MULTILINE)
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")
OUTSIDE = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
for card in sorted(ROOT.glob("bundle/*/docs/*.md")):
    name = card.parents[1].name if card.stem == "README" else f"{card.parents[1].name}_{card.stem}"
    OUTSIDE[card.relative_to(ROOT).as_posix()] = f"models/{name}.md"


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are not in ``docs/``."""
    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Rewrite the links of one page, and show the file names of its code blocks as titles."""
    sources = {target: source for source, target in OUTSIDE.items()}
    source = sources.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def site_link(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[1]))
        in_docs = target.removeprefix("docs/") if target.startswith("docs/") else None
        site_path = OUTSIDE.get(target, in_docs)
        if site_path is not None:
            return os.path.relpath(site_path, PurePosixPath(page.file.src_uri).parent).replace(os.sep, "/")
        if not (ROOT / target).exists():
            raise ValueError(f"{source}: the link {match[1]} leads nowhere; correct it")
        return f"{config.extra['repository']}/blob/main/{target}"

    return TITLED_FENCE.sub(r'```\1 title="\2"', LINK.sub(site_link, markdown))
