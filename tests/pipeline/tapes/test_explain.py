"""A run leaves events, pictures and a tape that together say why somebody was or was not recognised."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import cv2
import pytest

from gallery import NewTemplate
from pipeline import build
from pipeline.errors import SourceError
from pipeline.tapes.explain import find_event


@pytest.fixture
def ran(tmp_path: Path, world, detector, embedder, recog) -> dict[str, str]:  # type: ignore[no-untyped-def]
    """Red, who is enrolled, and green walk by; the id of the verdict on each."""
    film = world.film(tmp_path / "a.mp4", world.RED, world.GREEN)
    recog("enroll", "--name", "red", "--images", world.picture(tmp_path / "red.png", world.RED))
    recog("enroll", "--name", "blue", "--images", world.picture(tmp_path / "blue.png", world.BLUE))
    ended = recog("run", "-s", film, "-e", tmp_path / "e.jsonl", "--tape", tmp_path / "t.tape", "--snapshots",
                  tmp_path / "faces", "--thumbnails")  # fmt: skip
    assert ended.code == 0, ended.err
    events = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    return {event["event"]: event["id"] for event in events}


def explain(tmp_path: Path, recog, event: str, *more: object):  # type: ignore[no-untyped-def]
    return recog("explain", event, "-e", tmp_path / "e.jsonl", "-t", tmp_path / "t.tape", *more)


def test_a_name_is_explained_by_looks_and_threshold(tmp_path: Path, ran, world, recog) -> None:  # type: ignore[no-untyped-def]
    ended = explain(tmp_path, recog, ran["recognised"], "-o", tmp_path / "card.png")
    assert ended.code == 0, ended.err
    assert f"{ran['recognised']}: recognised, red, 9" in ended.out
    assert "decided again now: red" in ended.out
    assert "a name needs 99.0%" in ended.out
    assert "red: evidence +" in ended.out
    card = cv2.imread(str(tmp_path / "card.png"))
    assert card.shape[1] == 960
    face, nearest = card[220:240, 80:110], card[220:240, 260:290]
    assert all(part[..., 2].mean() > 2 * part[..., 0].mean() for part in (face, nearest))  # both are red
    assert (tmp_path / "card.png").stat().st_mode & 0o777 == 0o600


def test_a_name_that_was_denied_is_explained_by_what_was_said(
    tmp_path: Path, ran, world, embedder, recog
) -> None:  # type: ignore[no-untyped-def]
    with build.gallery(None, embedder) as people:
        (look,) = people.templates("red")
        people.deny("red", [NewTemplate(look.embedding, None, 1.0, "a.mp4", "said")])
    said = explain(tmp_path, recog, ran["recognised"]).out
    assert "decided again now: undecided" in said or "decided again now: unknown" in said
    assert "; 0.00 from a face that was said to be somebody else" in said


def test_a_stranger_is_explained_as_well(tmp_path: Path, ran, recog) -> None:  # type: ignore[no-untyped-def]
    ended = explain(tmp_path, recog, ran["unknown"])
    assert "unknown, nobody enrolled" in ended.out
    assert "decided again now: unknown" in ended.out
    assert ": evidence -" in ended.out


def test_what_stays_undecided_is_explained_by_all_of_its_looks(tmp_path: Path, ran, recog) -> None:  # type: ignore[no-untyped-def]
    ended = explain(tmp_path, recog, ran["recognised"], "--set", "evidence.min_looks=1000")
    assert "decided again now: undecided" in ended.out
    looks = re.search(r"a name needs 99.0%; (\d+) looks", ended.out)
    assert looks is not None
    assert f"({looks[1]} of 1,000 looks)" in ended.out


def test_without_snapshots_the_card_says_so(tmp_path: Path, ran, recog) -> None:  # type: ignore[no-untyped-def]
    for picture in (tmp_path / "faces").iterdir():
        picture.unlink()
    assert explain(tmp_path, recog, ran["unknown"], "-o", tmp_path / "card.png").code == 0
    assert cv2.imread(str(tmp_path / "card.png")).shape[1] == 960


def test_events_of_a_run_carry_pictures_and_ids(tmp_path: Path, ran) -> None:  # type: ignore[no-untyped-def]
    events = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    assert len({event["id"] for event in events}) == len(events)
    verdicts = [event for event in events if event["event"] in ("recognised", "unknown")]
    assert all(Path(event["snapshot"]).is_file() and event["thumbnail"] for event in verdicts)
    assert not any("time" in event for event in events)  # a film's clock is not the wall's


def test_an_event_that_is_not_there_is_one_line(tmp_path: Path, ran, recog) -> None:  # type: ignore[no-untyped-def]
    for event in ("no-1", "", "entered"):
        ended = explain(tmp_path, recog, event)
        assert ended.code == 1
        assert "has no event with the id" in ended.err
        assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"track": None}, "has something else in `track`"),
        ({"track": "one"}, "has something else in `track`"),
        ({"track": True}, "has something else in `track`"),
        ({"seconds": "1.0"}, "has something else in `seconds`"),
        ({"snapshot": 7}, "has something else in `snapshot`"),
        ({"confidence": "sure"}, "has something else in `confidence`"),
        ({"blur": "all"}, "has something else in `blur`"),
    ],
)
def test_an_event_that_no_run_wrote_so_is_refused_in_one_line(
    tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    event = {"id": "x-1", "event": "left", "source": "a.mp4", "track": 1, "seconds": 1.5}
    (tmp_path / "e.jsonl").write_text(json.dumps(event | changed) + "\n")
    with pytest.raises(SourceError, match=f"the event x-1 {said}; give the file as"):
        find_event(tmp_path / "e.jsonl", "x-1")


@pytest.mark.parametrize("field", ["event", "source", "track", "seconds"])
def test_an_event_that_lacks_what_every_event_has_is_refused(tmp_path: Path, field: str) -> None:
    event = {"id": "x-1", "event": "left", "source": "a.mp4", "track": 1, "seconds": 1.5}
    del event[field]
    (tmp_path / "e.jsonl").write_text(json.dumps(event) + "\n")
    with pytest.raises(SourceError, match=f"lacks `{field}`"):
        find_event(tmp_path / "e.jsonl", "x-1")


def test_another_runs_tape_and_a_card_of_another_format_are_refused(tmp_path: Path, ran, recog) -> None:  # type: ignore[no-untyped-def]
    assert "a card is a .png" in explain(tmp_path, recog, ran["unknown"], "-o", tmp_path / "card.mp4").err
    (tmp_path / "e.jsonl").write_text(
        '{"id": "other-1", "track": 0, "event": "left", "source": "a", "seconds": 1}\n{"id": "half'
    )
    assert "no looks at track 0 of the run other" in explain(tmp_path, recog, "other-1").err
    with pytest.raises(SourceError, match="cannot read"):
        find_event(tmp_path / "no.jsonl", "other-1")


def test_a_run_posts_its_events_and_tells_what_was_lost(  # type: ignore[no-untyped-def]
    tmp_path: Path, world, detector, embedder, recog
) -> None:
    posted: list[dict[str, object]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if len(posted) < 3 else 400)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
    thread.start()
    film = world.film(tmp_path / "a.mp4", world.RED)
    url = f"http://ann:secret@127.0.0.1:{server.server_address[1]}/"
    ended = recog("run", "-s", film, "--webhook", url, "-e", tmp_path / "e.jsonl")
    server.shutdown()
    server.server_close()
    thread.join()
    assert posted == [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    assert "2 delivered, 0 dropped, 1 rejected" in ended.out
    assert "secret" not in ended.out + ended.err
    assert ended.code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--webhook", "nowhere"], "give an address"),
        (["--tape", "no/such/t.tape"], "make it first"),
        (["--tape", "."], "is a folder"),
        (["--snapshots", "/dev/null/dir"], "is no folder"),
    ],
)
def test_an_output_that_cannot_be_is_refused_in_one_line(  # type: ignore[no-untyped-def]
    tmp_path: Path, world, detector, embedder, recog, options: list[str], message: str
) -> None:
    ended = recog("run", "-s", world.film(tmp_path / "a.mp4", world.RED, count=3), *options)
    assert ended.code == 1
    assert message in ended.err
    assert ended.err.count("\n") == 1
