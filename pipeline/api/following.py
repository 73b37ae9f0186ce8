"""A source followed frame by frame, and what it shows told to others: a home's broker, a web address."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.api.shared import Shared
from pipeline.enrolment.portraits import Portraits
from pipeline.outputs.home import Telling, camera_ids
from pipeline.outputs.ledger import Ledger
from pipeline.outputs.posting import Posting
from pipeline.progress import Report
from pipeline.recognition.following import Following
from pipeline.sources.reach import Reach


def follow(
    shared: Shared,
    source: str,
    *,
    delay: float | None,
    draw: bool,
    looks: bool,
    waiting: bool,
    report: Report,
    reach: Reach | None,
    blur: str | Sequence[str] | None,
) -> Following:
    """As `Recog.follow`."""
    settings = shared.settings if blur is None else shared.settings.covering(blur)
    detector, embedder, everybody = shared.tracking_detector(settings), shared.embedder(), shared.everybody()
    made = Following(
        source, detector, embedder, everybody, settings, delay, draw, looks, waiting, report, reach
    )
    shared.note(made)
    return made


def portraits(shared: Shared) -> Portraits:
    """As `Recog.portraits`."""
    return Portraits(shared.settings.enroll)


def telling(
    shared: Shared, source: str, *, mark: str, up: Callable[[], bool], report: Report, linger: float
) -> Telling:
    """As `Recog.telling`."""
    camera = "-".join([*camera_ids([source]), *([mark] if mark else [])])
    told = Telling(shared.settings.mqtt, camera, report, up, linger)
    if shared.settings.mqtt.url:
        Ledger(shared.path).note("mqtt", shared.settings.mqtt.url)
    return told


def posting(shared: Shared, url: str | None, *, report: Report, linger: float) -> Posting:
    """As `Recog.posting`."""
    made = Posting(url, report, linger)
    if url is not None:
        Ledger(shared.path).note("webhook", url)
    return made
