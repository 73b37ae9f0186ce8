"""One attempt: frames come in, one after the other, until it is sure enough or something is wrong."""

from __future__ import annotations

import statistics

from gallery.pooled import Pooled
from pipeline.authentication.claimed import EACH, Claimed
from pipeline.authentication.continuity import Continuity
from pipeline.authentication.policy import Finding, Part
from pipeline.authentication.watch import Sight
from pipeline.config import TrackSettings
from pipeline.liveness import geometry
from pipeline.liveness.challenge import SIDES, Challenge, Move, Response
from pipeline.liveness.cues import Denial
from pipeline.liveness.geometry import Depth
from pipeline.liveness.model import LIVE
from pipeline.liveness.relief import Crop, Relief, Turned, together
from pipeline.tracking.track import Tracker
from pipeline.types import Floats

# Depth that a turn must show at least, in distances of the eyes, with the lower bounds of its intervals.
# Chosen on other people than those reported: five heads had at least 0.16 and 0.29 (docs/security.md).
PARALLAX = 0.1
SLOPE = 0.25
# How far the nose must stand out in every direction, by the direction in which it does most: in all turns
# together, and in each by itself. Chosen likewise (docs/security.md).
SHARE, SHARE_EACH = 0.17, 0.13
ADVICE = ": keep the mouth still while you turn; --allow-bent does not ask for it (docs/security.md)"
# Seconds for which the face may be too blurred or too turned to be judged: a move takes 0.6, and a dark room
# blurs all of it. In that time somebody else could move there, so each move is judged again where it is held.
UNJUDGED = 0.8
LOOKS = 5  # frames that must be judged at least
# Pixels from the eyes to the mouth below which nobody measured whether a nose can be followed: nothing begins
# until the face is nearer, and has been for as long as somebody who comes needs to hold still.
NEAR, ARRIVED = 18.0, 0.4
TIMEOUT = 15.0  # seconds for everything


class Attempt:
    """Judges whether the claimed person, alive, answers one challenge.

    Attributes:
        ended: nothing more is looked at.
        judged: a face was compared with the claimed person: the try counts.
        seconds: from the first frame to the last that was taken in.
    """

    def __init__(
        self,
        claimed: Claimed,
        challenge: Challenge,
        track: TrackSettings,
        confident: float,
        timeout: float = TIMEOUT,
        allow_bent: bool = False,
    ) -> None:
        """
        Args:
            confident: score from which a detection may begin a track.
            timeout: seconds, on the source's clock, after which it is refused.
            allow_bent: the nose need not be seen to stand out in every direction (`Part.RELIEF`).
        """
        self._allow_bent = allow_bent
        self._claimed, self._timeout = claimed, timeout
        self._response = Response(challenge)
        self._continuity, self._denial = Continuity(), Denial()
        self._tracker = Tracker(track, confident)
        self._key: int | None = None  # of the track that is judged
        self._pooled, self._looks = Pooled(), 0
        self._distance = float("inf")  # of all judged frames, pooled
        self._began: float | None = None
        self._faced: float | None = None  # when the face was first seen
        self._judged_at = 0.0
        self._live: list[float] = []
        self._landmarks: list[Floats] = []
        self._held_judged: set[int] = set()  # numbers of the moves in whose holds the face was judged
        self._nobody = "nobody was there"
        self._there = False  # a face, in the last frame
        self._small = False  # the last face was, before anything began
        self._near_since: float | None = None  # a face that was too small is no longer
        self._wrong: dict[Part, str] = {}
        self._front: Crop | None = None  # the face before the first move
        self._turned: dict[int, Turned] = {}  # by the numbers of moves
        self.depths: list[Depth] = []
        self.reliefs: list[Relief | None] = []  # of the same turns
        self.ended = self.judged = False
        self.seconds = 0.0

    @property
    def words(self) -> str:
        """What to tell whoever stands before the camera."""
        if self.ended:
            return "thank you"
        if self._small and self._there:
            return "come nearer to the camera"
        if self._faced is None:
            return "look into the camera"
        asked = self._response.asked
        return "look straight into the camera" if asked is None else asked.value

    @property
    def steps(self) -> tuple[int, int]:
        """How many moves are done, of how many."""
        return self._response.answered, len(self._response.challenge.steps)

    def take(self, sight: Sight, cut: bool) -> None:
        """Take in a frame.

        Args:
            cut: it begins another shot.
        """
        if self.ended:
            return
        if self._began is None:
            self._began = sight.seconds
        self.seconds, self._there = sight.seconds - self._began, sight.row is not None
        if self._faced is None and sight.row is None:
            self._nobody = sight.why if len(sight.found) else "nobody was there"
        elif self._faced is None and not self._is_near(sight):
            self._nobody = "the face was too small: come nearer to the camera"
        else:
            self._follow(sight, cut)
        late = self.seconds >= self._timeout
        if late and not self._wrong and not self._response.done:
            self._wrong[Part.CHALLENGE] = "it was not answered in time" if self.judged else self._nobody
        self.ended = bool(self._wrong) or late or self._response.done

    def findings(self) -> dict[Part, Finding]:
        """What is known of the parts that this judges, at the end."""
        response, distance = self._response, self._distance
        ratio = self._claimed.ratio(distance)
        enough = self._looks >= LOOKS
        near = distance <= self._claimed.accept
        said = f"ratio {ratio:.1f} over {self._looks} frames" if self._looks else "no frame could be judged"
        known = {
            Part.STREAM: Finding(True, "the pictures follow each other"),
            Part.ONE_FACE: Finding(self._faced is not None or None, self._nobody),
            Part.IDENTITY: Finding(
                near and enough,
                f"it is {self._claimed.name}: {said}"
                if near and enough
                else f"not {self._claimed.name}: {said}{self._claimed.advice if enough else ''}",
            ),
            Part.CUES: Finding(True, "nothing says that it is a picture"),
            Part.CHALLENGE: Finding(
                response.done,
                "answered" if response.done else response.failed or "the challenge was not answered",
            ),
            Part.DEPTH: self._depth_finding(),
            Part.RELIEF: self._relief_finding(),
        }
        if self._faced is None:
            known[Part.IDENTITY] = Finding(None, self._nobody)
        return known | {part: Finding(False, why) for part, why in self._wrong.items()}

    def report(self) -> dict[str, object]:
        """What was measured, for whoever wants to see: numbers, no embedding."""
        return {
            "seconds": round(self.seconds, 2),
            "frames_judged": self._looks,
            "ratio": None if not self._looks else round(self._claimed.ratio(self._distance), 2),
            "moves_answered": self.steps[0],
            "moves_asked": self.steps[1],
            "depth": [
                {
                    "parallax": round(each.parallax, 3),
                    "parallax_low": round(each.parallax_low, 3),
                    "slope": round(each.slope, 3),
                    "slope_low": round(each.slope_low, 3),
                    "noise": round(each.noise, 4),
                }
                for each in self.depths
            ],
            "relief": [
                None
                if each is None
                else {
                    "share": round(each.share, 3),
                    "share_low": round(each.share_low, 3),
                    "frames": each.frames,
                }
                for each in self.reliefs
            ],
            "cues": {name: round(value, 3) for name, value in self._denial.values().items()},
        }

    def _is_near(self, sight: Sight) -> bool:
        """Whether it can begin: at once with a face that is large enough, and once one has come near."""
        pose = None if sight.landmarks is None else geometry.pose(sight.landmarks)
        if pose is not None and pose.size < NEAR:
            self._small, self._near_since = True, None
            return False
        if self._small:
            self._small, self._near_since = False, sight.seconds
        return self._near_since is None or sight.seconds - self._near_since >= ARRIVED

    def _follow(self, sight: Sight, cut: bool) -> None:
        """Everything that is asked of a frame once a face was seen."""
        tracks = self._tracker.update(sight.found, sight.seconds, at_once=True)
        self._continuity.see(sight.seconds, sight.shape, sight.digest, cut, sight.box)
        if self._continuity.broken is not None:
            self._wrong[Part.STREAM] = self._continuity.broken
            return
        if sight.row is None:
            if len(sight.found):  # somebody else is there as well
                self._wrong[Part.ONE_FACE] = sight.why
                return
        else:
            box = sight.found.boxes[sight.row]
            rows = [row for row in range(len(tracks.faces)) if (tracks.faces.boxes[row] == box).all()]
            key = int(tracks.keys[rows[0]]) if rows else None
            if self._faced is None:
                self._faced = self._judged_at = sight.seconds
                self._key = key
            if key is None or key != self._key:
                self._wrong[Part.ONE_FACE] = "it was not one face all the way"
                return
        self._identify(sight)
        if not self._wrong:
            self._challenge(sight)

    def _identify(self, sight: Sight) -> None:
        if sight.embedding is None:
            if sight.seconds - self._judged_at > UNJUDGED:
                self._wrong[Part.IDENTITY] = "the face was too small, blurred or turned to be judged"
            return
        self.judged, self._judged_at = True, sight.seconds
        self._looks += 1
        each = self._claimed.ratio(self._claimed.distance(sight.embedding))
        pooled = self._pooled.add(sight.embedding, max(sight.quality, 0.01), memory=1000)
        self._distance = self._claimed.pooled(pooled)
        if each < EACH:
            said = f"not {self._claimed.name}: ratio {each:.1f} in a frame"
            self._wrong[Part.IDENTITY] = f"{said}{self._claimed.advice}"

    def _challenge(self, sight: Sight) -> None:
        if sight.cues is not None:
            self._denial.see(sight.seconds, sight.cues)
        if sight.live is not None:
            self._live.append(sight.live)
            if len(self._live) >= LOOKS and statistics.median(self._live) < LIVE:
                self._wrong[Part.CUES] = "the anti-spoofing model says that it is a picture"
        if self._denial.why is not None:
            self._wrong[Part.CUES] = self._denial.why
        pose = None if sight.landmarks is None else geometry.pose(sight.landmarks)
        if pose is not None:
            self._landmarks.append(pose.landmarks)
        self._follow_nose(sight.face)
        self._response.see(sight.seconds, pose)
        if self._response.failed is not None:
            self._wrong[Part.CHALLENGE] = self._response.failed
        held = self._response.held
        if sight.embedding is not None and held and held[-1][-1] is pose:
            self._held_judged.add(len(held) - 1)
        if self._response.done:
            self._measure_depth()
            if len(self._held_judged) < len(held):
                self._wrong[Part.IDENTITY] = "the face could not be judged where a move was held"

    def _follow_nose(self, face: Crop | None) -> None:
        """From the face before the first move into each turn that is asked for."""
        asked, number = self._response.asked, self._response.answered
        if face is None:
            return
        if asked is None:
            self._front = face
        elif asked in SIDES and self._front is not None:
            if number not in self._turned:
                self._turned[number] = Turned(self._front, asked is Move.LEFT)
            self._turned[number].see(face)

    def _measure_depth(self) -> None:
        deviation = geometry.noise(self._landmarks)
        front = [pose.landmarks for pose in self._response.front]
        steps = zip(self._response.challenge.steps, self._response.held, strict=True)
        for number, (step, held) in enumerate(steps):
            if step.move in SIDES:
                turned = [pose.landmarks for pose in held]
                self.depths.append(geometry.depth(front, turned, deviation))
                followed = self._turned.get(number)
                self.reliefs.append(None if followed is None else followed.relief())

    def _depth_finding(self) -> Finding:
        if not self.depths:
            return Finding(None, "no turn showed whether there is depth")
        if all(each.shown(PARALLAX, SLOPE) for each in self.depths):
            return Finding(True, "the nose left the plane of eyes and mouth")
        return Finding(False, "the turn showed no depth: as of a flat or bent picture")

    def _relief_finding(self) -> Finding:
        if self._allow_bent:
            return Finding(True, "not asked for")
        known = [each for each in self.reliefs if each is not None]
        if not self.reliefs or len(known) < len(self.reliefs):
            return Finding(None, f"the nose could not be followed through a turn{ADVICE}")
        if together(known).shown(SHARE) and all(each.share >= SHARE_EACH for each in known):
            return Finding(True, "the nose stands out in every direction")
        return Finding(False, f"the nose does not stand out in every direction, as of a bent picture{ADVICE}")
