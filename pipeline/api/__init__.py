"""The key for programmers: one object that knows people, looks at pictures, and follows streams.

    from pipeline.api import Recog

    with Recog.open("people.db") as recog:
        recog.enroll("alice", ["alice-1.jpg", "alice-2.jpg"])
        for face in recog.identify("party.jpg"):
            print(face.name or face.state.value, face.unknown)

It does what the commands do, by the same code and the same settings, and prints nothing. Importing this loads
no model and no library of pictures; the models are loaded when they are first needed, and once.

Pictures are given as paths, or as arrays (height, width, 3) uint8 in BGR order, as OpenCV reads them. Errors
that a caller can mend are the `ERRORS`: bad pictures, sources, settings, models and galleries. Each says in
one line what is wrong and what to do.

Inside, `recog.py` is the whole surface: each method says what it takes, gives and raises, and hands the work
to the file of its subject: `enrolling`, `identifying`, `following`, `tapes`, `trust`, `authenticating`,
`forgetting`. Those are plain functions over a `Shared` (`shared.py`): gallery, settings, and models that are
loaded once. `pictures.py` reads what callers give, `showing.py` makes what people see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gallery.errors import GalleryError
from gallery.types import Person
from pipeline.api.pictures import Picture
from pipeline.api.recog import Recog
from pipeline.api.showing import cutout, demo_film, drawn, explain_card, explain_lines, shown_source
from pipeline.config import Settings
from pipeline.errors import PipelineError
from pipeline.types import Frame, Identity, Image, Photograph, Result, State, TrackedFace
from siamese.errors import SiameseError

if TYPE_CHECKING:
    from gallery.check import Finding
    from pipeline.api.trust import Trust
    from pipeline.authentication.parts import Prompt
    from pipeline.authentication.session import Authentication
    from pipeline.enrolment.enroller import Enrolment
    from pipeline.enrolment.photos import Outcome, Verdict
    from pipeline.enrolment.portraits import Portrait, Portraits
    from pipeline.faces.examine import Probe
    from pipeline.identity.calibrate import Calibrated
    from pipeline.identity.guarantee import Guarantee
    from pipeline.identity.identify import Candidate, Identified
    from pipeline.identity.verify import Answer, Comparison
    from pipeline.outputs.forget import Receipt
    from pipeline.outputs.home import Telling
    from pipeline.outputs.posting import Posting
    from pipeline.recognition.following import Following
    from pipeline.recognition.past import Past
    from pipeline.sources.reach import Reach
    from pipeline.sources.watchdog import Condition
    from pipeline.tapes.explain import Explanation
    from pipeline.tapes.replay import Sighting
    from pipeline.tapes.writer import TapeWriter

__all__ = [
    "ERRORS",
    "Answer",
    "Authentication",
    "Calibrated",
    "Candidate",
    "Comparison",
    "Condition",
    "Enrolment",
    "Explanation",
    "Finding",
    "Following",
    "Frame",
    "Guarantee",
    "Identified",
    "Identity",
    "Image",
    "Outcome",
    "Past",
    "Person",
    "Photograph",
    "Picture",
    "Portrait",
    "Portraits",
    "Posting",
    "Probe",
    "Prompt",
    "Reach",
    "Receipt",
    "Recog",
    "Result",
    "Settings",
    "Sighting",
    "State",
    "TapeWriter",
    "Telling",
    "TrackedFace",
    "Trust",
    "Verdict",
    "cutout",
    "demo_film",
    "drawn",
    "explain_card",
    "explain_lines",
    "shown_source",
]

ERRORS = (PipelineError, SiameseError, GalleryError)  # `except ERRORS`: what a caller can mend

_LAZY = {
    "Answer": "pipeline.identity.verify",
    "Authentication": "pipeline.authentication.session",
    "Calibrated": "pipeline.identity.calibrate",
    "Candidate": "pipeline.identity.identify",
    "Comparison": "pipeline.identity.verify",
    "Condition": "pipeline.sources.watchdog",
    "Enrolment": "pipeline.enrolment.enroller",
    "Explanation": "pipeline.tapes.explain",
    "Finding": "gallery.check",
    "Following": "pipeline.recognition.following",
    "Guarantee": "pipeline.identity.guarantee",
    "Identified": "pipeline.identity.identify",
    "Outcome": "pipeline.enrolment.photos",
    "Past": "pipeline.recognition.past",
    "Portrait": "pipeline.enrolment.portraits",
    "Portraits": "pipeline.enrolment.portraits",
    "Posting": "pipeline.outputs.posting",
    "Probe": "pipeline.faces.examine",
    "Prompt": "pipeline.authentication.parts",
    "Reach": "pipeline.sources.reach",
    "Receipt": "pipeline.outputs.forget",
    "Sighting": "pipeline.tapes.replay",
    "TapeWriter": "pipeline.tapes.writer",
    "Telling": "pipeline.outputs.home",
    "Trust": "pipeline.api.trust",
    "Verdict": "pipeline.enrolment.photos",
}


def __getattr__(name: str) -> Any:
    """Types that results are of; loaded when asked for, because they bring NumPy-heavy modules with them."""
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
