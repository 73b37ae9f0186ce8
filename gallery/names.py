"""Which names people may have, and what to suggest for a name that nobody has."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable

from gallery.errors import GalleryError

MAX_CHARACTERS = 80


def check_name(name: str) -> str:
    """The name as the gallery stores it: NFC, stripped, every kind of space a plain one.

    Letters of every script are welcome. Names also become names of files and lines of logs, so whatever could
    climb out of a folder, hide a file or forge a line is refused.

    Raises GalleryError for an empty name, one over 80 characters, one with a slash, a backslash or a
    character that does not print, and one that begins with a dot.
    """
    # U+3000 between Japanese names and U+00A0 from web pages look like a space and must compare as one.
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in name)
    checked = unicodedata.normalize("NFC", spaced.strip())
    if not checked:
        raise GalleryError("a name cannot be empty")
    if len(checked) > MAX_CHARACTERS:
        raise GalleryError(f"a name has at most {MAX_CHARACTERS} characters, this one has {len(checked)}")
    if "/" in checked or "\\" in checked:
        raise GalleryError(f"a name cannot contain a slash or a backslash: {checked!r}")
    if not checked.isprintable():
        raise GalleryError(f"a name cannot contain characters that do not print: {checked!r}")
    if checked.startswith("."):
        raise GalleryError(f"a name cannot begin with a dot: {checked!r}")
    return checked


def similar_names(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """At most `most` of the `known` names that `name` may have meant, whatever their case.

    Misspelt ones come first, nearest first; then those of which `name` is a part, such as a first name.
    """
    by_folded = {candidate.casefold(): candidate for candidate in known}
    wanted = name.casefold()
    near = difflib.get_close_matches(wanted, by_folded, n=most, cutoff=0.5)
    near += [folded for folded in sorted(by_folded) if wanted in folded and folded not in near]
    return [by_folded[folded] for folded in near[:most]]
