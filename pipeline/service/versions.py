"""Edits say which version they mean: `ETag` and `If-Match`, so that nobody changes what they never saw."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from fastapi import Header

from pipeline.service.problems import Problem

IfMatch = Annotated[
    str | None, Header(description="The ETag of what is changed.", examples=['"1"'], max_length=200)
]


def version_of(*parts: Any) -> str:
    """A version that is another one whenever a part is: values of JSON's types."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def etag(version: object) -> str:
    """A version as the header says it."""
    return f'"{version}"'


def must_match(if_match: str | None, version: object) -> None:
    """Refuse a change of something that has changed since it was read.

    Raises:
        Problem: 428 where no version is given, 412 where it is another one.
    """
    if if_match is None:
        raise Problem(
            428, "needs_if_match", "say which version is meant: If-Match with the ETag", "header.if-match"
        )
    meant = {each.strip().removeprefix("W/") for each in if_match.split(",")}
    if not meant & {etag(version), "*"}:
        raise Problem(
            412, "changed", "it was changed since it was read; read it again, then decide", "header.if-match"
        )
