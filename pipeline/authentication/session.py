"""From frames and what is known of the circumstances to an outcome: the try is counted, the parts decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pipeline.authentication.attempt import Attempt
from pipeline.authentication.claimed import Claim
from pipeline.authentication.policy import Finding, Part, Verdict, decide
from pipeline.authentication.tries import Tries
from pipeline.authentication.watch import Sight, Watch
from pipeline.tracking.cuts import CutDetector
from pipeline.types import Frame


@dataclass(frozen=True, slots=True)
class Authentication:
    """How an attempt ended."""

    verdict: Verdict
    findings: dict[Part, Finding]
    measured: dict[str, Any]  # see `Attempt.report`
    claim: Claim | None
    charged: bool  # it counts as a failed try
    rehearsal: bool = False  # of a recording: nobody is let in

    @property
    def accepted(self) -> bool:
        """Whether to let them in."""
        return self.verdict.accepted and not self.rehearsal

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; no embedding, and no name but the reason's."""
        return {
            "accepted": self.accepted,
            "why": self.verdict.why,
            "part": self.verdict.part,
            "parts": {
                part: {"holds": found.holds, "why": found.why} for part, found in self.findings.items()
            },
            "measured": self.measured,
            "false_match_rate": None
            if self.claim is None
            else {
                "bound": self.claim.bound,
                "strangers": self.claim.strangers,
                "matched": self.claim.matched,
                "meets_nist": self.claim.meets_nist,
            },
            "charged": self.charged,
        }


def circumstances(
    tries: str | None, remote: str | None, real: bool | None, device: str, intended: bool
) -> dict[Part, Finding]:
    """The parts that are known before a frame is looked at.

    Args:
        tries: why no try is taken now; None where one is.
        remote: why this is a session from afar; None where it is not.
        real: whether pictures come from a camera with a lens; None where nobody knows.
        device: the reason for that.
        intended: a key was pressed, or the caller said that none is needed.
    """
    return {
        Part.TRIES: Finding(tries is None, tries or "not too many tries failed"),
        Part.PLACE: Finding(remote is None, remote or "nothing says that this is a session from afar"),
        Part.CAMERA: Finding(real, device),
        Part.INTENT: Finding(intended, "asked for" if intended else "nobody asked for it"),
    }


def refused_before(known: dict[Part, Finding]) -> Authentication | None:
    """An outcome where what is known before suffices to refuse: no frame is looked at, and no try counts."""
    if all(finding.holds is True for finding in known.values()):
        return None
    return Authentication(decide(known), known, {}, None, charged=False)


def judge(
    frames: Iterable[Frame],
    watch: Watch,
    attempt: Attempt,
    known: dict[Part, Finding],
    claim: Claim,
    tries: Tries | None,
    show: Callable[[Frame, Sight], bool] = lambda frame, sight: True,
) -> Authentication:
    """Look at frames until the attempt has ended, and decide.

    The try is written down as failed before anything is concluded from its first judged frame, and taken back
    when somebody is accepted.

    Args:
        known: what `circumstances` told.
        tries: where tries count; None where they do not, and then nobody is accepted by the caller either.
        show: is given each frame with what was seen in it; False ends the attempt.

    Raises:
        TriesError: failures cannot be counted, so nothing was decided.
    """
    cuts, charged, stopped = CutDetector(), False, False
    for frame in frames:
        sight = watch.look(frame)
        attempt.take(sight, cuts.is_cut(frame.image))
        if attempt.judged and not charged and tries is not None:
            tries.charge()
            charged = True
        stopped = not show(frame, sight)
        if attempt.ended or stopped:
            break
    findings = known | attempt.findings()
    if not attempt.ended:
        why = "it was stopped" if stopped else "the camera gave no more pictures"
        findings[Part.STREAM] = Finding(False, why)
    verdict = decide(findings)
    if verdict.accepted and tries is not None:
        tries.clear()
    return Authentication(verdict, findings, attempt.report(), claim, charged and not verdict.accepted)
