"""Long work over HTTP: progress, results, cancelling, and what a restart makes of it."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import build
from pipeline.outputs import demo_film
from pipeline.service.jobs import CancelledError, Handle, Jobs
from pipeline.service.store import Store
from siamese.cohort import Cohort

RED, GREEN, BLUE = (40, 40, 220), (40, 200, 40), (220, 60, 40)


@pytest.fixture
def folder(world: Any, tmp_path: Path) -> Path:
    """Gil and Rosa with a photograph each, and a folder without any."""
    root = tmp_path / "photographs"
    for name, colour in (("Gil", GREEN), ("Rosa", RED)):
        (root / name).mkdir(parents=True)
        world.picture(root / name / "1.png", colour)
    (root / "Nobody").mkdir()
    return root


def ended(running: Any, until: Any, job: dict[str, Any]) -> dict[str, Any]:
    def state() -> Any:
        told = running.viewer.get(f"/api/v1/jobs/{job['id']}").json()
        return told if told["state"] not in ("queued", "running") else None

    return dict(until(state))


def test_a_folder_of_people_is_enrolled(serve: Any, folder: Path, until: Any, tmp_path: Path) -> None:
    running = serve(folders=(tmp_path,))
    answer = running.admin.post("/api/v1/jobs/enroll", json={"folder": str(folder)})
    assert (answer.status_code, answer.headers["location"]) == (202, f"/api/v1/jobs/{answer.json()['id']}")
    told = ended(running, until, answer.json())
    assert (told["state"], told["done"], told["total"]) == ("done", 3, 3)
    assert told["result"] == {
        "people": 2, "stored": 2, "duplicates": 0, "held": 0, "rejected": 1, "unusable": ["Nobody"],
    }  # fmt: skip
    assert [each["name"] for each in running.viewer.get("/api/v1/people").json()["items"]] == ["Gil", "Rosa"]
    assert running.viewer.get("/api/v1/jobs").json()["items"][0]["id"] == told["id"]


def test_only_what_is_below_a_configured_folder_is_used(serve: Any, folder: Path, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "out").symlink_to(folder)
    running = serve(folders=(allowed,))
    for given in (folder, allowed / ".." / "photographs", allowed / "out", allowed / "none", "a\0b", "/"):
        answer = running.admin.post("/api/v1/jobs/enroll", json={"folder": str(given)})
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_source"), given
        assert answer.json()["errors"][0]["where"] == "body.folder"
        assert running.admin.post("/api/v1/jobs/scan", json={"source": str(given)}).status_code == 422


def test_a_film_is_looked_through_into_events(serve: Any, world: Any, until: Any, tmp_path: Path) -> None:
    film = world.film(tmp_path / "hall.avi", RED, count=60)
    running = serve(folders=(tmp_path,))
    running.service.recog.enroll("Rosa", [next(iter(world.frames(1, RED)))])
    running.service.people_changed()
    answer = running.admin.post("/api/v1/jobs/scan", json={"source": str(film)})
    told = ended(running, until, answer.json())
    assert (told["state"], told["result"]["frames"]) == ("done", 60), told
    source = told["result"]["source"]

    def gone() -> list[tuple[str, bool]] | None:
        items = running.viewer.get("/api/v1/events", params={"source": source}).json()["items"]
        told = [(each["name"], each["present"]) for each in items]
        return None if not told or told[0][1] else told

    assert until(gone) == [("Rosa", False)]
    assert running.viewer.get(f"/api/v1/sources/{source}").json()["state"] == "ended"
    stream = running.admin.post("/api/v1/jobs/scan", json={"source": "0"})
    assert (stream.status_code, stream.json()["code"]) == (422, "no_film")


def test_the_demo_film_that_is_looked_through_is_the_services_own(
    running: Any, until: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving = demo_film._moving
    monkeypatch.setattr(demo_film, "_moving", lambda shot, random: moving(replace(shot, frames=4), random))
    (tmp_path / "demo").write_text("whatever is called so where the service was started")
    monkeypatch.chdir(tmp_path)
    answer = running.admin.post("/api/v1/jobs/scan", json={"source": "demo"}, timeout=120)
    told = ended(running, until, answer.json())
    assert told["state"] == "done", told
    assert told["result"]["frames"] > 4
    refused = running.admin.post("/api/v1/jobs/scan", json={"source": "films/demo"})
    assert refused.json()["errors"][0]["where"] == "body.source"


def test_the_gallery_is_calibrated_and_says_so(
    running: Any, png: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = np.random.default_rng(0).normal(size=(800, 8)).astype(np.float32) * 30
    near = 10 * np.eye(8, dtype=np.float32)[[4, 4]] + 0.5  # what is red
    strangers, kinds = np.concatenate([far, near]), np.array(["snapshots"] * 800 + ["portraits"] * 2)
    first = running.viewer.get("/api/v1/calibration").json()
    assert (first["state"], first["people"]) == ("nobody", 0)
    running.admin.post("/api/v1/people", data={"name": "Rosa"}, files=[("photos", png("rosa", RED))])
    assert running.viewer.get("/api/v1/calibration").json()["state"] == "none"

    few = ended(running, until, running.admin.post("/api/v1/calibration", json={"target": 0.01}).json())
    assert few["state"] == "failed"
    assert "strangers" in few["problem"]

    count = len(strangers)
    shipped = Cohort(strangers, np.arange(count), kinds, "", "", "made up")
    monkeypatch.setattr(build, "cohort", lambda settings, embedder: shipped)
    done = ended(running, until, running.admin.post("/api/v1/calibration", json={"target": 0.01}).json())
    assert done["state"] == "done", done
    told = running.viewer.get("/api/v1/calibration").json()
    assert (told["state"], told["target"], told["tried"]) == ("calibrated", 0.01, 802)
    assert told["sentence"].startswith("At most 1% of strangers")
    portraits, snapshots = told["kinds"]
    assert portraits == {"name": "portraits", "tried": 2, "named": 2, "over_target": True}
    assert snapshots == {"name": "snapshots", "tried": 800, "named": 1, "over_target": False}
    assert told["doubts"] == ["Of strangers like portraits more than 1% would be named (95% sure)."]
    assert (done["result"]["kinds"], done["result"]["doubts"]) == (told["kinds"], told["doubts"])
    assert running.admin.post("/api/v1/undo").json()["undone"]["action"] == "note"
    assert running.viewer.get("/api/v1/calibration").json()["state"] == "none"
    for wrong in (0, 0.5, -1, "x"):
        assert running.admin.post("/api/v1/calibration", json={"target": wrong}).status_code == 422


def test_a_job_that_is_not_there_is_told_so(running: Any) -> None:
    assert running.viewer.get("/api/v1/jobs/x").json()["code"] == "no_such_job"
    assert running.admin.delete("/api/v1/jobs/x").status_code == 404


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = Store(tmp_path / "people.service.db")
    yield store
    store.close()


def test_a_job_is_cancelled_while_it_works_or_before(store: Store, until: Any) -> None:
    jobs, at_work = Jobs(store), threading.Event()
    jobs.start()

    def work(job: Handle) -> dict[str, Any]:
        at_work.set()
        while True:
            job.unwanted.wait(0.01)
            job.report("waiting", 0, None)

    first, second = jobs.add("scan", {}, work), jobs.add("scan", {}, work)
    assert at_work.wait(5)
    jobs.cancel(second.id)
    jobs.cancel(first.id)
    until(lambda: jobs.get(first.id).state == "cancelled")  # type: ignore[union-attr]
    assert jobs.get(second.id).state == "cancelled"  # type: ignore[union-attr]
    jobs.stop()


def test_a_bug_in_a_job_ends_that_job_and_no_other(store: Store, until: Any) -> None:
    jobs = Jobs(store)
    jobs.start()

    def broken(job: Handle) -> dict[str, Any]:
        raise KeyError("x")

    failed, fine = jobs.add("scan", {}, broken), jobs.add("scan", {}, lambda job: {"ok": True})
    until(lambda: jobs.get(fine.id).state == "done")  # type: ignore[union-attr]
    told = jobs.get(failed.id)
    assert told is not None
    assert (told.state, told.problem) == ("failed", "an error of recog itself; the log says more")
    jobs.stop()


def test_what_a_restart_has_interrupted_has_failed(store: Store) -> None:
    jobs = Jobs(store)
    waiting = jobs.add("scan", {}, lambda job: {})
    Jobs(store).start()
    told = jobs.get(waiting.id)
    assert told is not None
    assert (told.state, told.problem) == ("failed", "the service ended meanwhile")


def test_reporting_stops_a_job_that_is_not_wanted() -> None:
    told = []
    job = Handle("1", lambda *what: told.append(what))
    job.report("a", 0, 2)
    job.report("a", 1, 2)  # too soon to be noted
    job.report("a", 2, 2)
    assert [done for _, _, done, _ in told] == [0, 2]
    job.unwanted.set()
    with pytest.raises(CancelledError):
        job.report("a", 2, 2)
