"""Films of one head each, with what `recog auth` sees in their frames, and attempts before a camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import cv2
import numpy as np
from camera import FPS
from heads import Way, ways

from pipeline import build, detectors
from pipeline.authentication.attempt import Attempt
from pipeline.authentication.claimed import Claimed
from pipeline.authentication.policy import Verdict, decide
from pipeline.authentication.session import Authentication, circumstances
from pipeline.authentication.watch import Sight, Watch
from pipeline.config import RuntimeSettings, Settings
from pipeline.faces.turn import nod, yaw
from pipeline.liveness.challenge import ASKED, SIDES, Challenge, Move, draw
from pipeline.sources.open import open_source
from pipeline.tracking.cuts import CutDetector
from pipeline.types import Floats, Frame, Image
from siamese.cohort import Cohort
from siamese.runtime import Embedder

Picture = Callable[[float, Move | None], Image]
KNOWN = circumstances(None, None, True, "simulated", intended=True)
WIDEST, FASTEST, LONGEST = 640, 30, 12.0  # pixels, frames a second and seconds to which films are reduced


@dataclass(frozen=True, slots=True)
class Film:
    """A film of one head, with what was seen in each of its frames."""

    name: str
    images: dict[int, Image]  # of the frames that are shown
    sights: tuple[Sight, ...]  # of all frames
    ways: dict[Move, Way]
    templates: Floats  # (t, d) as enrolled: from the front and in the turns, other frames than are shown

    @property
    def middle(self) -> Floats:
        """Where the face is, (2,) pixels."""
        boxes = np.stack([each.box for each in self.sights if each.box is not None])
        return np.asarray(np.median((boxes[:, :2] + boxes[:, 2:]) / 2, axis=0), np.float32)

    @property
    def chin(self) -> Floats:
        """About what the head is tilted, (2,) pixels."""
        return np.asarray(self.middle + np.array([0, self.height / 2]), np.float32)

    @property
    def height(self) -> float:
        """Of the face, pixels."""
        return float(np.median([each.box[3] - each.box[1] for each in self.sights if each.box is not None]))

    @property
    def answers(self) -> bool:
        """Whether there is a challenge for it: with a turn to one side there is one."""
        return len(self.templates) > 0 and bool(SIDES & set(self.ways))


class Bench:
    """The models, and what runs attempts."""

    def __init__(self, threads: int = 1) -> None:
        self.settings = Settings(runtime=RuntimeSettings(threads=threads))
        self.embedder: Embedder = build.embedder(self.settings)
        self.cohort: Cohort | None = build.cohort(self.settings, self.embedder)
        self.watch = Watch(detectors.of_authentication(self.settings), self.embedder, self.settings.quality)

    def claimed(self, name: str, templates: Floats) -> Claimed:
        strangers = templates[:0] if self.cohort is None else self.cohort.one_each
        return Claimed(name, templates, self.embedder.calibration, strangers)

    def attempt(self, claimed: Claimed, challenge: Challenge) -> Attempt:
        return Attempt(claimed, challenge, self.settings.track, self.settings.det.confidence)

    def run(self, attempt: Attempt, picture: Picture) -> Authentication:
        """Pictures of the simulated camera, each looked at as one of a real camera is."""
        cuts, index = CutDetector(), 0
        while not attempt.ended:
            now = index / FPS
            image = picture(now, attempt._response.asked)
            sight = self.watch.look(Frame(image, index, now, "simulated"))
            attempt.take(sight, cuts.is_cut(image))
            index += 1
        return outcome(attempt)

    def film(self, path: Path) -> Film:
        """Look at a film, at FASTEST frames a second at most; `ways` is empty where nobody turns in it."""
        images, sights, due = [], [], 0.0
        with open_source(str(path)) as source:
            for frame in source:
                if frame.seconds > LONGEST:
                    break
                if frame.seconds < due:
                    continue
                due = frame.seconds + 0.9 / FASTEST
                image, share = frame.image, WIDEST / frame.image.shape[1]
                if share < 1:
                    image = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
                images.append(image)
                sights.append(self.watch.look(replace(frame, image=image)))
        poses = np.array(
            [
                (np.nan, np.nan) if each.landmarks is None else (yaw(each.landmarks), nod(each.landmarks))
                for each in sights
            ],
            np.float32,
        )
        boxes = np.stack([np.full(4, np.nan) if each.box is None else each.box for each in sights])
        found = {} if np.isnan(boxes).all() else self._ways(sights, poses, boxes)
        shown = {index for way in found.values() for index in way.frames}
        usable = [i for i, each in enumerate(sights) if each.embedding is not None and i not in shown]
        chosen: list[int] = []
        if usable and found:
            turns = poses[usable, 0] - np.nanmedian(poses[:, 0])
            # The most frontal that is not shown, and those turned most like the ends of the ways.
            goals = [0.0, *(poses[way.frames[-1], 0] - np.nanmedian(poses[:, 0]) for way in found.values())]
            chosen = [usable[int(np.argmin(np.abs(turns - goal)))] for goal in goals]
        kept = [each for each in (sights[i].embedding for i in chosen) if each is not None]
        templates = np.stack(kept) if kept else np.zeros((0, self.embedder.dimension), np.float32)
        return Film(path.name, {i: images[i] for i in shown}, tuple(sights), found, templates)

    def _ways(self, sights: list[Sight], poses: np.ndarray, boxes: np.ndarray) -> dict[Move, Way]:
        breadth = boxes[:, 2] - boxes[:, 0]
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        places = np.concatenate([middles, breadth[:, None]], axis=1) / float(np.nanmedian(breadth))
        sharp = np.array([each.embedding is not None for each in sights])
        return ways(poses[:, 0], poses[:, 1], places.astype(np.float32), sharp)


def outcome(attempt: Attempt) -> Authentication:
    """What an attempt that has ended comes to, with everything else being well."""
    findings = KNOWN | attempt.findings()
    verdict: Verdict = decide(findings)
    return Authentication(verdict, findings, attempt.report(), None, attempt.judged)


def possible(films: list[Film], chance: Random) -> Challenge | None:
    """A challenge of moves that all these films have, or that are made; None if there is none."""
    have = set.intersection(*(set(film.ways) for film in films)) | (set(ASKED) - SIDES)
    if not SIDES & have:
        return None
    while True:
        challenge = draw(random=chance)
        if all(step.move in have for step in challenge.steps):
            return challenge
