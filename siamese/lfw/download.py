"""Fetch one file over HTTP: resumed where it broke off, taken from mirrors, and never trusted unverified.

What has arrived is kept beside the target as `NAME.part`, across attempts, mirrors and runs. Mirrors hold the
same bytes or they are wrong, so a part begun at one is continued at the next; the checksum has the last word.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from siamese.errors import DataError

CHUNK = 1 << 16  # bytes; small, because what a broken read had gathered is lost

Progress = Callable[[int, "int | None"], None]  # bytes so far, bytes in all where known


class _BrokenError(Exception):
    """The transfer broke off; what arrived is kept and going on may help."""


class _UselessError(Exception):
    """This mirror cannot serve the file; only another one helps."""


def download(
    urls: Sequence[str],
    target: Path,
    size: int | None,
    checksum: str,
    progress: Progress = lambda done, total: None,
    *,
    timeout: float = 30.0,
    attempts: int = 5,
    pause: float = 1.0,
) -> Path:
    """Fetch a file to `target`, which appears only once it is whole and verified.

    Returns at once where `target` already has the checksum.

    Args:
        urls: mirrors, http or https, tried in order.
        size: bytes, where known; a server that offers another size is not read from.
        checksum: algorithm and hexadecimal digest, such as `sha256:0ba9...` or `md5:6833...`.
        progress: called with bytes so far and bytes in all (None where unknown).
        timeout: seconds without a byte after which a connection counts as broken.
        attempts: how often a broken transfer is begun or continued, per mirror.
        pause: seconds before the second attempt; it doubles with each further one.

    Raises:
        DataError: no mirror served the file, what came has another checksum (and is removed), or the disk
            cannot be written (what came is kept, to go on from).
    """
    part = target.with_name(target.name + ".part")
    reasons = []
    try:
        if target.is_file() and digest(target, checksum) == checksum:
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        for url in urls:
            try:
                _from_mirror(url, part, size, checksum, progress, timeout, attempts, pause)
            except _UselessError as error:
                reasons.append(f"{url}: {error}")
                continue
            os.replace(part, target)
            return target
    except OSError as error:  # those of the network were dealt with where they arose; these are the disk's
        raise DataError(
            f"{target}: cannot be written ({_why(error)}); make room or choose another folder, "
            "and run this again: what has arrived is kept"
        ) from error
    raise DataError(
        f"{target.name} cannot be downloaded ({'; '.join(reasons) or 'no address is known'}); "
        f"try again later, or get the file by other means and save it as {target}"
    )


def digest(path: Path, checksum: str) -> str:
    """The checksum of a file, by the algorithm of `checksum` and in its form."""
    algorithm = checksum.partition(":")[0]
    with path.open("rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


def _from_mirror(
    url: str,
    part: Path,
    size: int | None,
    checksum: str,
    progress: Progress,
    timeout: float,
    attempts: int,
    pause: float,
) -> None:
    """Complete and verify the part from one mirror, or raise `_UselessError`."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise _UselessError("only http and https addresses are fetched")
    # Bytes of an earlier run or mirror may be what spoils the checksum: then a fresh start may still succeed.
    inherited = part.exists() and part.stat().st_size > 0
    reason = "not tried"
    for attempt in range(attempts):
        if attempt:
            time.sleep(pause * 2 ** (attempt - 1))
        try:
            _transfer(url, part, size, progress, timeout)
        except _BrokenError as error:
            reason = f"{error}; tried {attempt + 1} times"
            continue
        actual = digest(part, checksum)
        if actual == checksum:
            return
        part.unlink()
        reason = f"its checksum is {actual}, expected {checksum}; the file was removed"
        if not inherited:
            break
        inherited = False
    raise _UselessError(reason)


def _transfer(url: str, part: Path, size: int | None, progress: Progress, timeout: float) -> None:
    """Bring the part to its full length with one request."""
    have = part.stat().st_size if part.exists() else 0
    if size is not None and have >= size:
        if have == size:
            return
        part.unlink()
        have = 0
    # An encoded (compressed) body would make nonsense of ranges and sizes.
    headers = {"Accept-Encoding": "identity", "User-Agent": "recog"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  the scheme was checked
    try:
        response = _opener().open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _UselessError(f"HTTP {error.code} {error.reason}") from error
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return  # the part was whole already, which without a known size only the server can tell
        part.unlink()
        raise _BrokenError("the part on disk is longer than the file") from error
    except urllib.error.URLError as error:
        raise _UselessError(_why(error.reason)) from error
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(_why(error)) from error
    with response:
        start, total = _offered(response, have)
        if size is not None and total not in (None, size):
            raise _UselessError(f"offers {total:,} bytes, expected {size:,}")
        _append(response, part, start, total if size is None else size, progress)


def _opener() -> urllib.request.OpenerDirector:
    """An opener of web addresses alone: `build_opener` would also let a redirect lead to ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _offered(response: http.client.HTTPResponse, have: int) -> tuple[int, int | None]:
    """Where in the file the response's body begins, and how long the file is, in bytes."""
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != have:
            raise _UselessError("answers with another range than was asked for")
        return have, None if match[2] == "*" else int(match[2])
    if response.status != http.HTTPStatus.OK:
        raise _UselessError(f"HTTP {response.status} {response.reason}")
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None  # a server without ranges starts from the beginning


def _append(
    response: http.client.HTTPResponse, part: Path, start: int, total: int | None, progress: Progress
) -> None:
    """Write the body from byte `start` of the part on."""
    done = start
    with part.open("ab" if start else "wb") as file:
        while total is None or done < total:
            progress(done, total)
            try:
                chunk = response.read(CHUNK)
            except (OSError, http.client.HTTPException) as error:  # the network's; the disk's pass through
                raise _BrokenError(_why(error)) from error
            if not chunk:
                break
            file.write(chunk)
            done += len(chunk)
    progress(done, total)
    if total is not None and done < total:
        raise _BrokenError(f"the connection closed after {done:,} of {total:,} bytes")
    if total is not None and done > total:
        part.unlink()
        raise _UselessError(f"sends more than {total:,} bytes")


def _why(error: object) -> str:
    """One line about a network error."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return " ".join(text.split())
