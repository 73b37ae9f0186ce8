"""A real Ray cluster of two nodes on this machine, one of which is killed in the middle.

Starting it takes most of the time. It is started once, for an archive and for a fleet of cameras.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import build
from pipeline.config import Settings
from pipeline.errors import SinkError
from pipeline.fleet.archive import Archive
from pipeline.fleet.drive import Drive
from pipeline.fleet.jobs import Recognise, Task
from pipeline.fleet.plan import CameraPlan, Fleet, read_fleet
from pipeline.fleet.prepare import films_below, recipe_of
from pipeline.fleet.records import Records
from pipeline.fleet.told import STATE, TAPE, Told, read_state
from pipeline.fleet.worker import places_of
from pipeline.tapes.tape import Tape
from siamese import libraries
from siamese.runtime import Embedder

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own
ROOM = {"num_cpus": 1, "memory": 2 << 30, "object_store_memory": 80 << 20}


class Nodes:
    """A cluster of a head and one more node, each with room for one worker."""

    def __init__(self, cluster: Any) -> None:
        self._cluster, self._other = cluster, None
        self.address = cluster.address

    @property
    def both(self) -> bool:
        return self._other is not None

    def add(self) -> None:
        if self._other is None:
            self._other = self._cluster.add_node(**ROOM)

    def kill(self) -> None:
        """Its workers first: one may end what it has before it misses its machine."""
        from ray._private.state import actors

        for each in actors(actor_state_name="ALIVE").values():
            if each["Address"]["NodeID"] == self._other.node_id:
                os.kill(each["Pid"], signal.SIGKILL)
        self._cluster.remove_node(self._other, allow_graceful=False)
        self._other = None


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")  # else workers get nothing on a machine that is busy
        patch.setenv("RAY_raylet_start_wait_time_s", "120")
        patch.setenv("RAY_health_check_period_ms", "500")  # lost is who does not answer five times
        patch.setenv("RAY_health_check_initial_delay_ms", "500")
        libraries.restrain()  # as the other two, before Ray is imported
        pytest.importorskip("ray", reason="needs Ray: install recog[ray]")
        from ray.cluster_utils import Cluster

        cluster = Cluster(initialize_head=True, head_node_args=ROOM | {"include_dashboard": False})
        try:
            yield Nodes(cluster)
        finally:
            cluster.shutdown()


@pytest.fixture
def empty_gallery(tmp_path: Path) -> Path:
    path = tmp_path / "gallery.db"
    build.gallery(path, Embedder(build.embedder_path(Settings())), create=True).close()
    return path


def test_of_an_archive_no_film_is_lost_or_done_twice_when_a_node_is_killed(
    tmp_path: Path, nodes: Nodes, cut_film: Any, empty_gallery: Path
) -> None:
    import ray

    from pipeline.fleet.cluster import Actors

    nodes.add()
    films, out = tmp_path / "films", tmp_path / "out"
    films.mkdir()
    for count in (20, 21, 22):
        cut_film(films / f"{count}.mp4", (120, count, ()))
    recipe, _ = recipe_of(films, out, empty_gallery, Settings(), 600.0, None, alone=False)
    assert recipe.settings.runtime.threads == 1
    with Records(out) as records, Actors(recipe, nodes.address, None) as crew:
        sent = [each for each in ray.get_runtime_context().runtime_env if each == "working_dir"]
        while len(crew._idle) < 2:
            assert crew.wait(1.0) == []
        give = crew.give

        def give_and_kill(task: Task) -> None:
            give(task)
            if isinstance(task, Recognise) and len(crew._busy) == 2 and nodes.both:
                nodes.kill()

        crew.give = give_and_kill  # type: ignore[method-assign]
        ended = Archive(recipe, films_below(films, out), records).run(crew)
    assert sorted(ended.done) == ["20.mp4", "21.mp4", "22.mp4"]
    assert ended.failed == {}
    assert ended.died == 1
    lines = (out / ".recog-archive" / "done.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["frames"] for line in lines) == [20, 21, 22]
    assert all(place.exists() for film in ended.done for place in places_of(out, film))
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert sent == []


def test_a_camera_whose_node_is_killed_is_watched_on_another(
    tmp_path: Path, nodes: Nodes, cut_film: Any, empty_gallery: Path
) -> None:
    nodes.add()
    film = cut_film(tmp_path / "a.mp4", (120, 240, ()), fps=2)  # two minutes, if it is not stopped before
    fleet = Fleet(
        gallery=str(empty_gallery),
        out=tmp_path / "seen",
        camera=tuple(
            CameraPlan(name=name, source=str(film), processors=0.5, megabytes=500)
            for name in ("door", "yard")
        ),
    )
    lines: list[str] = []
    with Drive(fleet, Settings(), nodes.address) as drive, Told(fleet, Settings(), lines.append) as told:

        def both_run() -> bool:
            return all(each.state == "running" and each.seen for each in told.states.values())

        steps: Iterator[Callable[[], bool]] = iter(
            [both_run, _killing(nodes), lambda: told_again(told), both_run]
        )
        step = next(steps)

        def stopped() -> bool:
            nonlocal step
            if step():
                following = next(steps, None)
                if following is None:
                    return True
                step = following
            return False

        drive.run(told, stopped, lines.append)
    values = json.loads((fleet.out / "fleet.json").read_text())
    assert [each["name"] for each in values["cameras"]] == ["door", "yard"]
    assert sum(each["restarts"] for each in values["cameras"]) >= 1
    assert (fleet.out / "fleet.json").stat().st_mode & 0o777 == 0o600


def _killing(nodes: Nodes) -> Callable[[], bool]:
    def kill() -> bool:
        nodes.kill()
        return True

    return kill


def told_again(told: Told) -> bool:
    return any(each.restarts for each in told.states.values())


FLEET = """
gallery = "{gallery}"
out = "{out}"
[[camera]]
name = "door"
source = "{film}"
processors = 0.5
megabytes = 500
"""


def test_the_whole_command_watches_until_it_is_told_to_end_and_says_so(
    tmp_path: Path, nodes: Nodes, cut_film: Any, empty_gallery: Path, recog: Any, until: Any
) -> None:
    film, out, plan = (
        cut_film(tmp_path / "a.mp4", (120, 240, ()), fps=2),
        tmp_path / "seen",
        tmp_path / "f.toml",
    )
    plan.write_text(FLEET.format(gallery=empty_gallery, out=out, film=film))
    others: list[str] = []

    def end() -> None:
        states = lambda: [each["state"] for each in read_state(out)["cameras"]]  # noqa: E731
        try:
            until(lambda: (out / STATE).exists() and states() == ["running"], 120)
            second = Told(read_fleet(plan), Settings(), others.append)
            with pytest.raises(SinkError, match="another recog fleet run is at work there"):
                second.__enter__()
        except Exception as error:
            others.append(repr(error))
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=end)
    thread.start()
    ended = recog("fleet", "run", plan, "--ray", nodes.address)
    thread.join()
    assert (ended.code, others, ended.err) == (128 + signal.SIGTERM, [], "")
    said = [line.split()[:2] for line in ended.out.splitlines() if "starting" not in line]
    assert said == [["door:", "waiting"], ["door:", "running"], ["door:", "ended"]]
    assert [each["state"] for each in read_state(out)["cameras"]] == ["ended"]
    with Tape(out / TAPE, build.fingerprint(Embedder(build.embedder_path(Settings())))) as tape:
        assert [run.source for run in tape.runs()] == ["door"]
