"""A challenge nobody can know before: turns and holds drawn at random, and whether a head answered them.

A recording answers the challenge it was made for. That it fits another one, move by move and hold by hold, is
what has to be rare. Times are seconds on the source's clock; left and right are the person's own.
"""

from __future__ import annotations

import itertools
import math
import secrets
from dataclasses import dataclass
from enum import Enum
from random import Random

import numpy as np

from pipeline.liveness.geometry import HeadPose


class Move(Enum):
    """What is asked for, with the words that ask."""

    LEFT = "turn your head to your left"
    RIGHT = "turn your head to your right"
    UP = "lift your chin"
    NEARER = "come a little nearer"
    TILT_LEFT = "tilt your head towards your left shoulder"
    TILT_RIGHT = "tilt your head towards your right shoulder"


SIDES = frozenset({Move.LEFT, Move.RIGHT})
# A lifted chin is a move, too, but not asked for: the nose then rises between eyes and mouth, of which the
# landmarks of `face-n` show a quarter or less. No real head was seen to answer (docs/security.md).
ASKED = (Move.LEFT, Move.RIGHT, Move.NEARER, Move.TILT_LEFT, Move.TILT_RIGHT)
MOVES = 3
ASIDE = 2  # of them at least are turns aside: the other moves show no depth, a photograph does them, too
# Seconds that a move is held, short or long, from ... to. A recording that held briefly leaves a long hold
# too soon, and one that held long comes too late for what follows a short one. Nothing follows the last.
SHORT, LONG = (0.2, 0.35), (1.2, 1.4)
PAUSES = (0.4, 0.9)  # seconds in which the head is seen from the front before the first move is asked for

# How far is far enough, against how the head was held at first. Chosen on other people than those reported.
TURN = 0.3  # of a half turn (`HeadPose.turn`)
RISE = 0.075  # of the way from eyes to mouth
NEAR = math.log(1.15)  # of the size; a head that does nothing was seen to swing between 0.94 and 1.14 of it
TILT = 10.0  # degrees of roll; of a picture rolled by 20 the landmarks of `face-n` show 16
STRAY = math.log(1.2)  # of the size, from which coming nearer is a move where it was not asked for
LEFT_AGAIN = 0.65  # share of it below which a move is no longer held
BEGUN = 0.35  # share of it from which a move has begun
RESTS = 0.25  # seconds without being held after which the head has come back, if not to where it was
FRONTAL = 0.3  # turn up to which a head counts as seen from the front, to begin with

SOONEST = 0.12  # seconds from the asking in which nobody can have begun to answer
LATEST = 1.6  # seconds in which a move must be reached
WRONG = 0.12  # seconds for which another move, or leaving too soon, is taken for landmarks' noise
UNSEEN = 0.35  # seconds for which no face may be seen
SETTLE = 6.0  # seconds in which the head must be seen from the front


@dataclass(frozen=True, slots=True)
class Step:
    """A move and for how many seconds it is held."""

    move: Move
    hold: float


@dataclass(frozen=True, slots=True)
class Challenge:
    """What is asked of one attempt."""

    pause: float  # seconds seen from the front before the first move is asked for
    steps: tuple[Step, ...]


def draw(moves: int = MOVES, random: Random | None = None) -> Challenge:
    """A challenge of so many moves: no move twice in a row, all or all but one of them turns aside.

    Three moves have 26 sequences and two kinds of holds each for all but the last, so a recorded answer fits
    another challenge about once in a hundred times.

    Args:
        random: where chance comes from; the system's own, which nobody can predict, unless a test says.
    """
    chance = random or secrets.SystemRandom()
    while True:  # all sequences that will do are equally likely
        order = [chance.choice(ASKED) for _ in range(moves)]
        apart = all(a is not b for a, b in itertools.pairwise(order))
        if apart and sum(move in SIDES for move in order) >= min(ASIDE, moves):
            break
    holds = [chance.choice((SHORT, LONG)) for _ in order[1:]] + [SHORT]
    steps = tuple(Step(move, chance.uniform(*hold)) for move, hold in zip(order, holds, strict=True))
    return Challenge(chance.uniform(*PAUSES), steps)


class Response:
    """Watches a head answer one challenge, frame by frame.

    Attributes:
        asked: the move that is asked for now; None before the first and after the last.
        failed: why the challenge was not answered, in words; None so far.
        front: the poses before the first move.
        held: for each step that was reached, the poses of its hold so far.
        answered: how many steps were reached and held.
    """

    def __init__(self, challenge: Challenge) -> None:
        self.challenge = challenge
        self.asked: Move | None = None
        self.failed: str | None = None
        self.front: list[HeadPose] = []
        self.held: list[list[HeadPose]] = []
        self.answered = 0
        self._began: float | None = None  # when the first frame came
        self._frontal: float | None = None  # since when the head is seen from the front
        self._level = (0.0, 0.0, 1.0, 0.0)  # turn, nod, size and roll to begin with
        self._asked_at = 0.0
        self._begun: float | None = None  # when the move asked for began
        self._from: float | None = None  # how far into it the head was when it was asked for
        self._size = 1.0  # from which nearness is measured now
        self._reached: float | None = None
        self._seen = 0.0  # when a face was last seen
        self._carried: set[Move] = set()  # moves from which the head has not come back yet
        self._coming: dict[Move, float] = {}  # since when it is coming back from them
        self._astray: dict[Move | None, float] = {}  # since when another move is held; None: left too soon

    @property
    def done(self) -> bool:
        """Whether all steps were answered."""
        return self.failed is None and self.answered == len(self.challenge.steps)

    def see(self, seconds: float, seen: HeadPose | None) -> None:
        """Take in a frame; `seen` is None where no face is seen. Nothing happens after the end."""
        if self.failed is not None or self.done:
            return
        if self._began is None:
            self._began = self._seen = seconds
        if seen is None:
            if seconds - self._seen > UNSEEN and self.asked is not None:
                self.failed = "the face was lost"
            elif self.asked is None:
                self._begin_again(seconds)
            return
        self._seen = seconds
        if self.asked is None:
            self._settle(seconds, seen)
        else:
            self._follow(seconds, seen)

    def _begin_again(self, seconds: float) -> None:
        self.front, self._frontal = [], None
        assert self._began is not None
        if seconds - self._began > SETTLE:
            self.failed = "the face was not seen from the front"

    def _settle(self, seconds: float, seen: HeadPose) -> None:
        """Before the first move: how is the head held?"""
        if abs(seen.turn) > FRONTAL:
            self._begin_again(seconds)
            return
        if self._frontal is None:
            self._frontal = seconds
        self.front.append(seen)
        if seconds - self._frontal < self.challenge.pause or len(self.front) < 3:
            return
        turns, nods = [each.turn for each in self.front], [each.nod for each in self.front]
        self._level = (
            float(np.median(turns)),
            float(np.median(nods)),
            float(np.median([each.size for each in self.front])),
            float(np.median([each.roll for each in self.front])),
        )
        self._ask(seconds, set())

    def _ask(self, seconds: float, carried: set[Move]) -> None:
        self.asked = self.challenge.steps[self.answered].move
        self._asked_at, self._begun, self._from, self._reached = seconds, None, None, None
        self._carried, self._coming, self._astray = carried, {}, {}
        self._size = self._level[2]

    def _shares(self, seen: HeadPose) -> dict[Move, float]:
        """How far the head is into each move; 1 is far enough."""
        turn, level, size, roll = self._level
        aside, rise = (seen.turn - turn) / TURN, (level - seen.nod) / RISE
        if self.asked is not Move.NEARER:
            near = math.log(seen.size / size) / STRAY
        else:
            # Nobody comes back from a turn to exactly where they were: it counts from where that is.
            if self._reached is None and abs(aside) < BEGUN:
                self._size = min(self._size, seen.size)
            near = math.log(seen.size / self._size) / NEAR
        # A chin that is lifted, and a head turned aside, change the way from eyes to mouth a little.
        over = (seen.roll - roll) / TILT
        return {
            Move.LEFT: aside,
            Move.RIGHT: -aside,
            Move.UP: rise,
            Move.NEARER: near,
            Move.TILT_LEFT: over,
            Move.TILT_RIGHT: -over,
        }

    def _follow(self, seconds: float, seen: HeadPose) -> None:
        assert self.asked is not None
        shares, asked = self._shares(seen), self.asked
        self._come_back(shares, seconds)
        for move, share in shares.items():
            astray = (
                move is not asked and move not in self._carried and share >= 1 and self._counts(move, shares)
            )
            if self._lasts(move, astray, seconds):
                self.failed = f"asked to {asked.value}, it did another move"
                return
        share = shares[asked]
        # Who comes back from a turn is still tilted as turning tilted them: only then does it begin.
        back = asked in SIDES or not self._carried & SIDES
        if self._from is None and back:  # a turn that goes on looks a little like coming nearer, and the like
            self._from = min(max(0.0, share), 0.5)
        if self._begun is None and self._from is not None and share >= self._from + BEGUN:
            self._begun = seconds
            if seconds - self._asked_at < SOONEST:
                self.failed = "the answer came before anybody could have given it"
                return
        if self._reached is None:
            if share >= 1 and back and self._alone(asked, shares):
                self._reached = seconds
                self.held.append([seen])
            elif seconds - self._asked_at > LATEST:
                self.failed = f"asked to {asked.value}, it did not in time"
            return
        if self._lasts(None, share < LEFT_AGAIN, seconds):
            self.failed = f"asked to {asked.value}, it did not stay"
            return
        if share >= LEFT_AGAIN:
            self.held[-1].append(seen)
        if seconds - self._reached >= self.challenge.steps[self.answered].hold and share >= LEFT_AGAIN:
            self.answered += 1
            if self.answered < len(self.challenge.steps):
                self._ask(seconds, self._carried | {asked})
            else:
                self.asked = None

    def _come_back(self, shares: dict[Move, float], seconds: float) -> None:
        """From which moves has the head come back? Nobody comes to rest exactly where they were."""
        for move in tuple(self._carried):
            if shares[move] >= LEFT_AGAIN:
                self._coming.pop(move, None)
                continue
            since = self._coming.setdefault(move, seconds)
            if shares[move] < BEGUN or seconds - since >= RESTS:
                self._carried.remove(move)

    @staticmethod
    def _counts(move: Move, shares: dict[Move, float]) -> bool:
        """Whether a move that was not asked for is one: a head far aside shows other moves less surely.

        Its eyes are seen aslant by a camera that is above or below them.
        """
        aside = max(shares[Move.LEFT], shares[Move.RIGHT])
        return move in SIDES or aside < BEGUN

    @staticmethod
    def _alone(asked: Move, shares: dict[Move, float]) -> bool:
        """Whether a move is answered by itself: all but turns are told with the head not far aside."""
        aside = max(shares[Move.LEFT], shares[Move.RIGHT])
        return asked in SIDES or aside < 1

    def _lasts(self, what: Move | None, now: bool, seconds: float) -> bool:
        """Whether something goes on for longer than landmarks' noise does."""
        if not now:
            self._astray.pop(what, None)
            return False
        return seconds - self._astray.setdefault(what, seconds) > WRONG
