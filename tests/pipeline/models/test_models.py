"""Models by name: listing, describing, verifying and fetching them, from a real server on this machine."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from pipeline.models import catalogue, local
from pipeline.models.catalogue import CATALOGUE, Entry, entry
from pipeline.models.local import folder, identify, resolve
from pipeline.models.pull import pull
from siamese.errors import DataError, ModelError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data folder, empty."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "recog" / "models"


@pytest.fixture
def person(served: Path, people_model: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """The catalogue's `person`, with the made-up model in place of the real one."""
    shutil.copyfile(people_model, served / "people.onnx")
    content = people_model.read_bytes()
    made = Entry(
        "person", "people.onnx", "person detector", len(content), hashlib.sha256(content).hexdigest(),
        "AGPL-3.0", ((served / "address").read_text() + "/people.onnx",), "follows people",
    )  # fmt: skip
    others = tuple(each for each in CATALOGUE if each.name != "person")
    for module in (catalogue, local):
        monkeypatch.setattr(module, "CATALOGUE", (made, *others))
    return made


def damage(path: Path) -> None:
    """Change one byte, not the size."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_every_entry_can_be_told_from_the_others_and_is_pinned() -> None:
    for field in ("name", "file", "sha256"):
        assert len({getattr(each, field) for each in CATALOGUE}) == len(CATALOGUE)
    for each in CATALOGUE:
        assert len(bytes.fromhex(each.sha256)) == 32
        assert each.size > 0
        assert all(url.startswith("https://") and "/main/" not in url for url in each.urls)
        assert not any(each.name == model.name for model in local.shipped())
        assert Path(each.file).suffix == ".onnx"  # nothing that would have to be unpickled


def test_what_nobody_pulled_is_not_there_and_says_how_to_get_it(home: Path) -> None:
    assert folder() == home
    with pytest.raises(
        ModelError, match="person: not on this machine yet; get it with: recog models pull person"
    ):
        resolve("person")
    assert not home.exists()


def test_names_of_shipped_models_and_paths_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve("face-n").name == "face-n.onnx"
    assert resolve(Path("recog-siamese")).parent.name == "weights"
    assert resolve("my/own.onnx") == Path("my/own.onnx")  # whoever opens it finds out
    (tmp_path / "plain").touch()
    assert resolve(tmp_path / "plain") == tmp_path / "plain"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve("~/a.onnx") == tmp_path / "a.onnx"
    with pytest.raises(
        ModelError, match="persom: no model of this name and no such file; see: recog models list"
    ):
        resolve("persom")


def test_a_relative_data_folder_is_ignored_as_the_standard_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", "somewhere")
    assert folder() == tmp_path / ".local" / "share" / "recog" / "models"


def test_a_pulled_model_is_known_by_its_name_afterwards(person: Entry, home: Path) -> None:
    progress: list[tuple[int, int | None]] = []
    path = pull(person, home, lambda done, total: progress.append((done, total)))
    assert path == home / "people.onnx" == resolve("person")
    assert progress[-1] == (person.size, person.size)
    assert identify(path) == person
    assert list(home.iterdir()) == [path]


def test_it_is_fetched_once(person: Entry, home: Path, served: Path) -> None:
    pull(person, home)
    (served / "people.onnx").unlink()
    assert pull(person, home) == home / "people.onnx"


def test_a_transfer_that_was_broken_off_goes_on(person: Entry, home: Path, served: Path) -> None:
    home.mkdir(parents=True)
    (home / "people.onnx.part").write_bytes((served / "people.onnx").read_bytes()[:100])
    assert pull(person, home).stat().st_size == person.size
    assert not (home / "people.onnx.part").exists()


def test_a_wrong_checksum_leaves_nothing_behind(person: Entry, home: Path, served: Path) -> None:
    damage(served / "people.onnx")
    with pytest.raises(
        DataError, match=r"its checksum is sha256:\w+, expected sha256:\w+; the file was removed"
    ):
        pull(person, home)
    assert list(home.iterdir()) == []


def test_a_file_of_another_size_is_not_even_read(person: Entry, home: Path, served: Path) -> None:
    (served / "people.onnx").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(DataError, match=f"offers 43 bytes, expected {person.size:,}"):
        pull(person, home)
    assert list(home.iterdir()) == []


def test_without_a_network_it_says_how_to_do_without(person: Entry, home: Path) -> None:
    alone = replace(person, urls=("http://127.0.0.1:1/people.onnx",))
    with pytest.raises(
        DataError, match=r"cannot be downloaded .*refused.*save it as .*people\.onnx"
    ) as caught:
        pull(alone, home)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk without room")
def test_a_full_disk_says_so(person: Entry, home: Path) -> None:
    home.mkdir(parents=True)
    (home / "people.onnx.part").symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"No space left on device.*make room"):
        pull(person, home)
    assert not (home / "people.onnx").exists()


def test_another_file_in_its_place_is_not_overwritten(person: Entry, home: Path) -> None:
    home.mkdir(parents=True)
    (home / "people.onnx").write_text("mine")
    with pytest.raises(ModelError, match=r"people\.onnx: exists and is not person; move it away"):
        pull(person, home)
    with pytest.raises(ModelError, match=r"wrong checksum: .*get it again: recog models pull person"):
        resolve("person")
    assert (home / "people.onnx").read_text() == "mine"


def test_an_unknown_name_names_the_nearest_or_all() -> None:
    with pytest.raises(ModelError, match="yolo26: not a model that can be pulled; did you mean yolo26n"):
        entry("yolo26")
    with pytest.raises(ModelError, match="there are: person, yolo26n, sface, yunet"):
        entry("xyz")


def test_pull_shows_what_it_would_do_and_does_nothing_unasked(recog: Any, person: Entry, home: Path) -> None:
    ended = recog("models", "pull", "person")
    assert ended.code == 1
    assert ended.err == "recog: nothing was downloaded: nobody can be asked here; say --yes\n"
    for shown in (person.urls[0], f"{person.size:,} bytes", person.sha256, person.licence):
        assert shown in ended.out
    assert not home.exists()


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_pull_asks(
    recog: Any, person: Entry, home: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    terminal = StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    ended = recog("models", "pull", "person")
    assert "Download it? [y/N]" in ended.out
    assert ended.code == code
    assert (home / "people.onnx").exists() == (code == 0)


def test_from_pull_to_a_film_of_people(
    recog: Any, person: Entry, world: Any, detector: Any, embedder: Any, tmp_path: Path
) -> None:
    import cv2

    pulled = recog("models", "pull", "person", "--yes")
    assert (pulled.code, pulled.err) == (0, "")
    assert "verified" in pulled.out
    assert "already there, verified" in recog("models", "pull", "person").out
    writer = cv2.VideoWriter(str(tmp_path / "f.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 20, (320, 240))
    for index in range(30):
        image = world.empty()
        image[40:200, 40 + index : 110 + index] = 30
        writer.write(image if index > 15 else world.face(image, world.RED, 50 + index, 50, 48))
    writer.release()
    photo = world.picture(tmp_path / "rosa.png", world.RED)
    assert recog("enroll", "--name", "Rosa", "--images", photo, "--detector", "person").code == 0
    events = tmp_path / "events.jsonl"
    ended = recog("run", "--source", tmp_path / "f.avi", "--detector", "person", "--events", events, "--json")
    (rosa,) = json.loads(ended.out)["people"]
    assert (rosa["name"], rosa["tracks"]) == ("Rosa", 1)
    assert rosa["frames"] >= 28  # to the end, though the face is seen for half of the film only
    boxes = [json.loads(line)["box"] for line in events.read_text().splitlines()]
    assert all(140 < bottom - top < 180 for _, top, _, bottom in boxes)


def test_list_tells_what_is_here_and_what_is_not(recog: Any, person: Entry, home: Path) -> None:
    rows = {row["name"]: row for row in json.loads(recog("models", "list", "--json").out)}
    assert rows["face-n"]["kind"] == "face detector"
    assert rows["recog-siamese"] | {"verified": True} == rows["recog-siamese"]
    assert rows["recog-siamese"]["licence"] == "MIT"
    assert (rows["person"]["present"], rows["person"]["state"]) == (False, "not pulled")
    pull(person, home)
    table = recog("models", "list")
    assert table.code == 0
    assert "pulled, verified" in table.out
    assert str(home) in table.out
    damage(home / "people.onnx")
    assert "pulled, wrong checksum" in recog("models", "list").out


def test_show_tells_what_is_in_the_file(recog: Any, person: Entry, home: Path) -> None:
    ours = json.loads(recog("models", "show", "recog-siamese", "--json").out)
    assert ours["kind"] == "embedder"
    assert ours["embedding size"] == 168
    assert ours["architecture"]["backbone"] == "residual"
    assert "5pt-112" in ours["input template"]
    assert ours["calibration"]["impostor"] > 1000
    for about in ("fold", "category", "metrics", "training data", "commit", "licence"):
        assert about in ours
    text = recog("models", "show", "face-n")
    assert (text.code, text.err) == (0, "")
    assert "classes: face\n" in text.out
    assert "architecture: YOLO for pose" in text.out
    pull(person, home)
    theirs = json.loads(recog("models", "show", "person", "--json").out)
    assert theirs["classes"].startswith("person, thing 1")
    assert (theirs["licence"], theirs["source"]) == ("AGPL-3.0", person.urls[0])


def test_show_refuses_what_is_no_model_in_one_line(recog: Any, tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    for path, said in (
        (tmp_path / "text.onnx", "not an ONNX model"),
        (tmp_path / "no.onnx", "no such model file"),
    ):
        ended = recog("models", "show", path)
        assert ended.code == 1
        assert said in ended.err
        assert ended.err.count("\n") == 1


def test_verify_is_exit_code_1_where_a_checksum_is_wrong(recog: Any, person: Entry, home: Path) -> None:
    assert recog("models", "verify").code == 0
    path = pull(person, home)
    fine = recog("models", "verify")
    assert (fine.code, "person: OK" in fine.out) == (0, True)
    assert recog("models", "verify", path).code == 0
    damage(path)
    ended = recog("models", "verify")
    assert ended.code == 1
    assert "person: wrong checksum" in ended.out
    assert "face-n: OK" in ended.out
    assert "person" in ended.err
    assert recog("models", "verify", "face-n").code == 0
    ended, actual = recog("models", "verify", path), hashlib.sha256(path.read_bytes()).hexdigest()
    assert ended.code == 1
    assert f"no checksum is known of it; its own is {actual}" in ended.out
    assert "ask whoever made it" in ended.err
    assert "no such model file" in recog("models", "verify", home / "none.onnx").err
    path.unlink()
    assert "person: missing" in recog("models", "verify", "person").out


def test_nothing_is_pulled_that_ships(recog: Any) -> None:
    ended = recog("models", "pull", "face-n")
    assert (ended.code, "nothing to pull" in ended.out) == (0, True)
