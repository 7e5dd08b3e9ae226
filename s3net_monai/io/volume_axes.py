"""Fourth axes of NRRD and MetaImage headers that have one index: a volume is 3-D without them."""

from __future__ import annotations

import re

from s3net_monai.io.volume_fields import META_PER_AXIS, META_PER_MATRIX

_AXIS_WORDS = {  # what an NRRD field has one of for every axis
    **dict.fromkeys(("sizes", "spacings", "thicknesses", "axismins", "axismaxs"), re.compile(r"\S+")),
    **dict.fromkeys(("centers", "centerings", "kinds"), re.compile(r"\S+")),
    "spacedirections": re.compile(r"\([^()]*\)|none"),
    "units": re.compile(r'"[^"]*"'),
}


def without_last_axis(fields: dict[str, str]) -> dict[str, str]:
    """Return the fields of a 4-D MetaImage, whose last axis has one index and is at right angles, as those of 3-D."""
    if fields["NDims"] != "4" or fields.get("DimSize", "").split()[3:] != ["1"]:
        return fields
    cut = {name: " ".join(fields[name].split()[:3]) for name in META_PER_AXIS if name in fields}
    for name in (name for name in META_PER_MATRIX if name in fields):
        words = fields[name].split()
        numbers = [float(word) for word in words]
        if numbers[12:] != [0, 0, 0, 1] or numbers[3::4] != [0, 0, 0, 1]:
            return fields
        cut[name] = " ".join(words[0:3] + words[4:7] + words[8:11])
    letters = fields.get("AnatomicalOrientation", "")
    return {**fields, **cut, "NDims": "3", **({"AnatomicalOrientation": letters[:3]} if letters else {})}


def without_single_axis(fields: dict[str, str]) -> dict[str, str]:
    """Return the fields of a 4-D NRRD with an axis of one index, which has no direction in space, as those of 3-D."""
    sizes = fields.get("sizes", "").split()
    if len(sizes) != 4 or fields.get("dimension") != "4":
        return fields
    directions = _AXIS_WORDS["spacedirections"].findall(fields.get("spacedirections", ""))
    axes = [axis for axis, word in enumerate(directions) if word == "none"] or [3, 0]
    axis = next((axis for axis in axes if sizes[axis : axis + 1] == ["1"]), None)
    if axis is None:
        return fields
    cut = {name: words.findall(fields[name]) for name, words in _AXIS_WORDS.items() if name in fields}
    for words in cut.values():
        del words[axis : axis + 1]
    return {**fields, **{name: " ".join(words) for name, words in cut.items()}, "dimension": "3"}
