"""Pictures that clients send: limited in bytes and pixels before anything is decoded, told by their content.

Their names are shown and kept as origins, and never open a file.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import File, UploadFile

from pipeline.api import Photograph
from pipeline.service.problems import Problem

MOST_BYTES = 20 << 20  # of one picture
MOST_PICTURES = 100  # in one request
MOST_TOTAL = 64 << 20  # bytes of a request with several
MOST_PIXELS = 40_000_000
NAME_MOST = 120  # characters of a file's name that are kept


def photograph(upload: UploadFile, where: str) -> Photograph:
    """One picture as it was sent.

    Raises:
        Problem: it is empty, or larger than is taken.
    """
    data = upload.file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise Problem(
            413, "picture_too_large", f"a picture has at most {MOST_BYTES >> 20} MB; make it smaller", where
        )
    return Photograph(data, shown_name(upload.filename), MOST_PIXELS)


def photographs(uploads: list[UploadFile], where: str) -> list[Photograph]:
    """Several pictures as they were sent.

    Raises:
        Problem: there are too many, or one is as `photograph` says.
    """
    if len(uploads) > MOST_PICTURES:
        raise Problem(422, "too_many_pictures", f"send at most {MOST_PICTURES} pictures at once", where)
    return [photograph(each, where) for each in uploads]


def shown_name(given: str | None) -> str:
    """The name of a file without its folders and what does not print; it opens nothing."""
    last = (given or "").replace("\\", "/").rpartition("/")[2]
    plain = "".join(each for each in last if each.isprintable()).strip()
    return plain[:NAME_MOST] or "picture"


Upload = Annotated[UploadFile, File(description="A picture: JPEG, PNG, WebP, ...")]
Uploads = Annotated[list[UploadFile], File(description="Pictures: JPEG, PNG, WebP, ...")]
