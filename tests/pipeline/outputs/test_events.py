"""Events tell what changed, once; the summary adds it up; neither lets an embedding or a picture out."""

import json
import os
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SinkError
from pipeline.outputs.events import EventLog, Events
from pipeline.outputs.summary import Summary
from pipeline.types import UNDECIDED, Frame, Identity, Result, State, TrackedFace

IMAGE = np.zeros((4, 4, 3), np.uint8)
UNKNOWN = Identity(State.UNKNOWN, None, 0.9, 3)


def named(name: str, confidence: float = 0.95) -> Identity:
    return Identity(State.NAMED, name, confidence, 3)


def result(index: int, tracks: dict[int, Identity], seconds: float | None = None) -> Result:
    """Frame `index` of a film of ten frames a second, with these tracks in it."""
    frame = Frame(IMAGE, index, index / 10 if seconds is None else seconds, "street.mp4")
    box = np.array([1.4, 2.6, 30.5, 40.0], np.float32)
    faces = [TrackedFace(t, box, np.zeros((5, 2), np.float32), 0.9, i) for t, i in tracks.items()]
    return Result(frame, tuple(faces))


def told(results: list[Result], patience: float = 1.0) -> list[tuple[str, int, int, str | None]]:
    """(event, frame, track, name) of everything these results bring about."""
    events = Events(patience)
    all_events = [event for each in results for event in events.update(each)] + events.finish()
    return [(event.event, event.frame, event.track, event.name) for event in all_events]


def test_a_track_enters_is_recognised_and_leaves_once() -> None:
    identities = [UNDECIDED, UNDECIDED, named("alice"), named("alice"), named("alice", 0.99)]
    assert told([result(i, {7: identity}) for i, identity in enumerate(identities)]) == [
        ("entered", 0, 7, None),
        ("recognised", 2, 7, "alice"),
        ("left", 4, 7, "alice"),
    ]


def test_an_event_says_when_where_and_who() -> None:
    events = Events()
    entered, recognised = events.update(result(3, {7: named("alice", 0.9512)}))
    [left] = events.finish()
    assert entered.as_dict() == {
        "event": "entered",
        "seconds": 0.3,
        "frame": 3,
        "source": "street.mp4",
        "track": 7,
        "box": [1, 3, 30, 40],
    }
    assert recognised.as_dict() == {
        **entered.as_dict(),
        "event": "recognised",
        "name": "alice",
        "confidence": 0.951,
    }
    assert left.as_dict() == {
        **entered.as_dict(),
        "event": "left",
        "name": "alice",
        "first_seconds": 0.3,
        "last_seconds": 0.3,
    }


def test_an_unknown_person_is_told_once() -> None:
    assert told([result(i, {1: UNKNOWN}) for i in range(5)]) == [
        ("entered", 0, 1, None),
        ("unknown", 0, 1, None),
        ("left", 4, 1, None),
    ]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([named("alice"), named("bob")], [("recognised", "alice", None), ("recognised", "bob", "alice")]),
        ([named("alice"), UNKNOWN], [("recognised", "alice", None), ("unknown", None, "alice")]),
        ([UNKNOWN, named("bob")], [("unknown", None, None), ("recognised", "bob", None)]),
        ([named("alice"), UNDECIDED, named("alice")], [("recognised", "alice", None)]),
        (
            [named("alice"), UNDECIDED, named("bob")],
            [("recognised", "alice", None), ("recognised", "bob", "alice")],
        ),
    ],
)
def test_a_revised_verdict_is_told_with_the_name_it_replaces(
    verdicts: list[Identity], expected: list[tuple[str, str | None, str | None]]
) -> None:
    events = Events()
    told = [event for i, verdict in enumerate(verdicts) for event in events.update(result(i, {1: verdict}))]
    assert [(event.event, event.name, event.previous) for event in told[1:]] == expected


def test_an_event_of_a_live_source_has_the_time_at_which_its_frame_was_captured() -> None:
    zone = timezone(timedelta(hours=-5))
    clock = [datetime(2026, 11, 28, 7, 0, second, tzinfo=zone) for second in (0, 30, 31)]
    events, told = Events(), []
    for index, taken in enumerate(clock):  # a machine that slept for half a minute after the first frame
        live = result(index, {7: named("alice") if index else UNDECIDED})
        told += events.update(replace(live, frame=replace(live.frame, taken=taken)))
    told += events.finish()
    assert [(event.event, event.as_dict()["time"]) for event in told] == [
        ("entered", "2026-11-28T12:00:00.000+00:00"),
        ("recognised", "2026-11-28T12:00:30.000+00:00"),
        ("left", "2026-11-28T12:00:31.000+00:00"),
    ]


def test_an_unconfirmed_face_is_no_event() -> None:
    assert told([result(0, {-1: UNDECIDED})]) == []


def test_a_short_absence_is_not_leaving_and_a_long_one_is() -> None:
    alice = {1: named("alice")}
    short = [result(0, alice), result(1, {}), result(9, alice)]
    assert [event for event, *_ in told(short)] == ["entered", "recognised", "left"]
    long = [result(0, alice), result(5, {}), result(11, {}), result(12, alice)]
    assert told(long) == [
        ("entered", 0, 1, None),
        ("recognised", 0, 1, "alice"),
        ("left", 0, 1, "alice"),
        ("entered", 12, 1, None),
        ("recognised", 12, 1, "alice"),
        ("left", 12, 1, "alice"),
    ]


def test_each_event_tells_the_rule_of_its_result_and_who_leaves_at_the_end_that_of_the_last() -> None:
    events = Events()
    [entered] = events.update(replace(result(0, {7: UNDECIDED}), blur=("not:alice",)))
    [unknown] = events.update(replace(result(1, {7: UNKNOWN}), blur=("all",)))
    [left] = events.finish()
    assert [each.blur for each in (entered, unknown, left)] == [("not:alice",), ("all",), ("all",)]
    assert events.update(result(2, {8: UNDECIDED}))[0].blur is None


def test_two_event_streams_share_nothing() -> None:
    one, two = Events(), Events()
    assert len(one.update(result(0, {1: UNDECIDED}))) == 1
    assert len(two.update(result(0, {1: UNDECIDED}))) == 1


def test_a_log_is_one_json_object_a_line_and_is_written_at_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    events = Events()
    with EventLog(path) as log:
        log.write(events.update(result(0, {1: named("Jürgen\n李")})))
        lines = path.read_text("utf-8").splitlines()  # before it is closed
        log.write(events.finish())
    assert [json.loads(line)["event"] for line in lines] == ["entered", "recognised"]
    assert json.loads(lines[1])["name"] == "Jürgen\n李"
    assert len(path.read_text("utf-8").splitlines()) == 3
    assert set(json.loads(lines[1])) == {
        *("schema", "event", "seconds", "frame", "source", "track", "box", "name", "confidence")
    }


def test_a_name_that_is_no_utf8_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        log.write(Events().update(result(0, {1: named("caf\udce9")})))
    assert json.loads(path.read_text("utf-8").splitlines()[1])["name"] == "caf\udce9"


def test_a_log_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        with EventLog(tmp_path / "events.jsonl"):
            pass
    finally:
        os.umask(previous)
    assert (tmp_path / "events.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_log_that_exists_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for _ in range(2):
        with EventLog(path) as log:
            log.write(Events().update(result(0, {1: UNDECIDED})))
    assert len(path.read_text().splitlines()) == 2


def test_no_path_is_no_log() -> None:
    with EventLog(None) as log:
        log.write(Events().update(result(0, {1: UNDECIDED})))


def test_a_log_that_cannot_be_written_is_a_sink_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere" / "events.jsonl", "a\0b"):
        with pytest.raises(SinkError, match="cannot write"):
            EventLog(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_a_full_disk_is_a_sink_error() -> None:
    with EventLog("/dev/full") as log, pytest.raises(SinkError, match="No space left"):
        log.write(Events().update(result(0, {1: UNDECIDED})))


def test_the_summary_adds_up_people_over_their_tracks() -> None:
    clock = iter([0.0, *np.arange(1, 21) / 4]).__next__
    summary = Summary(clock)
    for i in range(20):
        tracks = {5: UNDECIDED, -1: UNDECIDED}
        if i < 8:
            tracks[1] = UNDECIDED if i < 4 else named("alice", 0.9)
        if i >= 12:
            tracks[2] = named("alice", 0.8)
        if i >= 15:
            tracks[3] = UNKNOWN
        summary.update(result(i, tracks))
    assert summary.as_dict() == {
        "frames": 20,
        "seconds": 5.0,
        "fps": 4.0,
        "source_seconds": 1.9,
        "people": [
            {
                "name": "alice",
                "first_seconds": 0.0,
                "last_seconds": 1.9,
                "frames": 16,
                "tracks": 2,
                "confidence": 0.9,
            }
        ],
        "unknown_tracks": 1,
        "undecided_tracks": 1,
    }
    json.dumps(summary.as_dict())


def test_a_revised_track_counts_as_what_it_was_found_to_be_last() -> None:
    summary = Summary()
    for i, identity in enumerate([named("alice"), named("alice"), named("bob"), UNDECIDED]):
        summary.update(result(i, {1: identity}))
    [bob] = summary.people
    assert (bob.name, bob.frames, bob.first_seconds, bob.last_seconds) == ("bob", 4, 0.0, 0.3)


def test_people_are_listed_in_the_order_in_which_they_came() -> None:
    summary = Summary()
    summary.update(result(0, {2: named("zoe")}))
    summary.update(result(1, {1: named("bob"), 2: named("zoe"), 3: named("ann")}))
    assert [person.name for person in summary.people] == ["zoe", "ann", "bob"]


def test_a_summary_of_nothing_is_zeros() -> None:
    summary = Summary(lambda: 1.0)
    assert summary.as_dict() == {
        "frames": 0,
        "seconds": 0.0,
        "fps": None,
        "source_seconds": 0.0,
        "people": [],
        "unknown_tracks": 0,
        "undecided_tracks": 0,
    }


def test_every_line_says_which_version_of_the_fields_it_has(tmp_path: Path) -> None:
    with EventLog(tmp_path / "events.jsonl") as log:
        log.write(Events().update(result(0, {7: named("alice")})))
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["schema"] for line in lines] == [1, 1]


def test_the_summary_of_a_long_run_counts_every_track_and_keeps_few(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.outputs import summary as module

    identities = [named("alice"), named("bob", 0.7), UNKNOWN, UNDECIDED]

    def run() -> Summary:
        made = Summary(lambda: 0.0)
        for index in range(400):
            made.update(result(index, {index // 2: identities[index // 2 % 4]}))
        return made

    whole = run()
    monkeypatch.setattr(module, "KEPT", 5)
    bounded = run()
    assert len(bounded._tracks) == 5
    assert bounded.as_dict() == whole.as_dict()
    assert [(person.name, person.tracks) for person in bounded.people] == [("alice", 50), ("bob", 50)]
