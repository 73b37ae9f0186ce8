"""Which names people may have, and what to suggest for a name that nobody has."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

from gallery.errors import GalleryError

MAX_CHARACTERS = 80
RESERVED = ("unknown", "undecided")  # what recog itself says of a face; nobody can be called so

_JOINERS = "\u200c\u200d"  # ZERO WIDTH NON-JOINER and JOINER
_STYLES = "\ufe0e\ufe0f"  # of the emoji before: as text, in colour
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f")  # of Wales, say
_VIRAMA = 9  # the combining class of the sign after which a joiner chooses the shape of an Indic consonant


def check_name(name: str) -> str:
    """The name as the gallery stores and compares it: NFC, stripped, every kind of space a plain one.

    Letters of every script are welcome, emoji too. Names also become names of files and lines of logs, so
    whatever could climb out of a folder, hide a file or forge a line is refused. Zero-width joiners and the
    styles of emoji stay where they change what is seen (in emoji, in Arabic and Indic scripts) and are
    dropped elsewhere, so that two names do not look the same.

    Raises GalleryError for an empty name, one over 80 characters, one with a slash, a backslash or a
    character that does not print, and one that begins with a dot.
    """
    # U+3000 between Japanese names and U+00A0 from web pages look like a space and must compare as one.
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in name)
    checked = spaced
    while (tidied := unicodedata.normalize("NFC", _without_idle(checked.strip()))) != checked:
        checked = tidied  # what stood beside a dropped character may be at the end now, or compose
    if not checked:
        raise GalleryError("a name cannot be empty")
    if len(checked) > MAX_CHARACTERS:
        raise GalleryError(f"a name has at most {MAX_CHARACTERS} characters, this one has {len(checked)}")
    if "/" in checked or "\\" in checked:
        raise GalleryError(f"a name cannot contain a slash or a backslash: {checked!r}")
    if not all(c.isprintable() or c in _JOINERS or _is_picture(c) for c in _FLAG.sub("", checked)):
        raise GalleryError(f"a name cannot contain characters that do not print: {checked!r}")
    if checked.startswith("."):
        raise GalleryError(f"a name cannot begin with a dot: {checked!r}")
    return checked


def check_new_name(name: str) -> str:
    """As `check_name`, for somebody who is to be called so from now on.

    An earlier version may have let somebody be called "unknown": such a person can still be looked up.

    Raises GalleryError also for what recog says of faces itself, in any spelling.
    """
    checked = check_name(name)
    if unicodedata.normalize("NFKC", checked).casefold() in RESERVED:
        raise GalleryError(
            f"nobody can be named {checked}: that is what recog says of a face by itself; choose another name"
        )
    return checked


def _without_idle(name: str) -> str:
    """The name without the joiners that join nothing, and without styles of what has only one."""
    kept: list[str] = []
    for place, character in enumerate(name):
        left, right = kept[-1] if kept else "", name[place + 1 : place + 2]
        if character in _JOINERS and not _joins(left, character, right):
            continue
        if character in _STYLES and (not left or unicodedata.category(left)[0] in "LMZC"):
            continue
        kept.append(character)
    return "".join(kept)


def _joins(left: str, joiner: str, right: str) -> bool:
    if not left:
        return False
    if unicodedata.combining(left) == _VIRAMA:
        return True
    if not right:
        return False
    if unicodedata.bidirectional(left) == "AL":
        return True
    return joiner == "\u200d" and _of_emoji(left) and _of_emoji(right)


def _of_emoji(character: str) -> bool:
    # Symbols are "So", skin tones "Sk".
    kind = unicodedata.category(character)
    return kind in ("So", "Sk") or character in _STYLES or _is_picture(character)


def _is_picture(character: str) -> bool:
    """Whether it lies where Unicode keeps its pictures; Python does not know the newest of them."""
    return "\U0001f000" <= character <= "\U0001faff"


def similar_names(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """At most `most` of the `known` names that `name` may have meant, whatever their case.

    Misspelt ones come first, nearest first; then those of which `name` is a part, such as a first name.
    """
    by_folded = {candidate.casefold(): candidate for candidate in known}
    wanted = name.casefold()
    near = difflib.get_close_matches(wanted, by_folded, n=most, cutoff=0.5)
    near += [folded for folded in sorted(by_folded) if wanted in folded and folded not in near]
    return [by_folded[folded] for folded in near[:most]]
