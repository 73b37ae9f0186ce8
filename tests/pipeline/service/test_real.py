"""The real models on real photographs, over real HTTP, beside the command line in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import pytest
import uvicorn

import pipeline
from pipeline.api import Recog
from pipeline.service.access import Access, Bind, Role
from pipeline.service.app import make_app
from pipeline.service.service import Options, Service
from pipeline.service.store import Store, store_path

PHOTOGRAPHS = Path(pipeline.__path__[0]) / "photographs"
HOPPER, COLLINS = PHOTOGRAPHS / "grace-hopper.jpg", PHOTOGRAPHS / "eileen-collins.jpg"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    """A program with a token of an admin."""
    recog = Recog.open(tmp_path / "people.db")
    service = Service(recog, Store(store_path(recog.path)), Options())
    access = Access(service.store, Bind())
    config = uvicorn.Config(make_app(service, access), port=0, log_config=None, ws="websockets-sansio")
    server, started = uvicorn.Server(config), threading.Event()
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        started.wait(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    headers = {"authorization": f"Bearer {access.create_token('test', Role.ADMIN).text}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", headers=headers, timeout=60) as made:
        yield made
    server.should_exit = True
    thread.join()
    service.close()
    recog.close()


def smaller(path: Path) -> bytes:
    """A photograph at two thirds of its size, saved again."""
    image = cv2.imread(str(path))
    assert image is not None
    small = cv2.resize(image, None, fx=0.66, fy=0.66, interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])[1])


def names(client: httpx.Client, picture: bytes) -> list[Any]:
    answer = client.post("/identify", files={"image": ("x.jpg", picture)})
    assert answer.status_code == 200, answer.text
    return [face["name"] for face in answer.json()["faces"]]


def test_rounding_claims_no_certainty_not_even_of_the_photo_itself(client: httpx.Client) -> None:
    photo = (HOPPER.name, HOPPER.read_bytes())
    client.post("/people", data={"name": "Grace Hopper"}, files=[("photos", photo)]).raise_for_status()
    (face,) = client.post("/identify", files={"image": photo}).json()["faces"]
    assert face["confidence"] > 0.9995
    assert face["why"].startswith("Grace Hopper with 99.9%;")


def test_a_person_is_named_a_stranger_is_not_until_the_command_line_enrolls_her(
    client: httpx.Client, tmp_path: Path
) -> None:
    answer = client.post(
        "/people", data={"name": "Grace Hopper"}, files=[("photos", (HOPPER.name, HOPPER.read_bytes()))]
    )
    assert answer.status_code == 201, answer.text
    hopper, collins = smaller(HOPPER), smaller(COLLINS)
    assert names(client, hopper) == ["Grace Hopper"]
    assert names(client, collins) == [None]

    with subprocess.Popen(
        [sys.executable, "-c", "from pipeline.cli import main; main()", "enroll", "--gallery",
         str(tmp_path / "people.db"), "--name", "Eileen Collins", "--images", str(COLLINS)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as enrolling:  # fmt: skip
        while enrolling.poll() is None:  # whoever asks meanwhile is answered as before or as after
            assert names(client, hopper) == ["Grace Hopper"]
            person = client.get("/people").json()["items"][0]
            renamed = client.patch(
                f"/people/{person['id']}",
                json={"name": person["name"]},
                headers={"if-match": f'"{person["version"]}"'},
            )
            assert renamed.status_code == 200, renamed.text
        assert enrolling.returncode == 0, enrolling.communicate()[0]

    assert names(client, collins) == ["Eileen Collins"]
    assert [each["name"] for each in client.get("/people").json()["items"]] == [
        "Eileen Collins",
        "Grace Hopper",
    ]
    same = client.post(
        "/verify", files={"first": ("a.jpg", hopper), "second": ("b.jpg", HOPPER.read_bytes())}
    )
    other = client.post("/verify", files={"first": ("a.jpg", hopper), "second": ("b.jpg", collins)})
    assert (same.json()["answer"], other.json()["answer"]) == ("same", "different")
