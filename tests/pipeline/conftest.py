"""A world of coloured squares: a square is a face, its colour is who it is. All of it is exact and quick."""

from __future__ import annotations

import functools
import http.server
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline import build, detectors
from pipeline.faces.align import SIZE, TEMPLATE
from pipeline.sources.quiet import quiet_opencv
from pipeline.types import Detections, Floats, Image
from siamese.calibration import Calibration
from siamese.lfw.files import split_people

quiet_opencv()  # FFmpeg reads its level once a process: before the first test of any file writes a video

RED, GREEN, BLUE = (40, 40, 220), (40, 200, 40), (220, 60, 40)
GREY = (120, 120, 120)
Colour = tuple[int, int, int]


class FakeDetector:
    """Finds squares that are not grey; their landmarks are where a crop of just the square expects them."""

    digest = "0" * 64

    def __init__(self) -> None:
        self.frames = 0
        self._counting = threading.Lock()  # cameras that run beside each other share it
        self.before: Callable[[int], None] = lambda frame: None  # called with the number of each frame

    def detect(self, image: Image) -> Detections:
        with self._counting:
            number = self.frames
            self.frames += 1
        self.before(number)
        blue, green, red = cv2.split(image)
        spread = cv2.subtract(cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red))
        vivid = cv2.compare(spread, 50, cv2.CMP_GT)
        vivid = cv2.morphologyEx(vivid, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        _, _, found, _ = cv2.connectedComponentsWithStats(vivid)
        rows = [(x, y, x + w, y + h) for x, y, w, h, area in found[1:] if area > 100]
        boxes = np.array(rows, np.float32).reshape(-1, 4)
        sides = (boxes[:, 2:] - boxes[:, :2])[:, None]
        landmarks = boxes[:, None, :2] + TEMPLATE / SIZE * sides
        return Detections(boxes, np.full(len(boxes), 0.9, np.float32), landmarks.astype(np.float32))


class FakeEmbedder:
    """Embeds a crop as its colour: of one colour 0 apart, of two 20."""

    name, digest, dimension = "colours", "1" * 64, 8
    calibration = Calibration(intercept=8.0, slope=0.8, ceiling=9.0, genuine=100, impostor=30_000)

    def __init__(self) -> None:
        self.embedded = 0

    def embed(self, crops: Image) -> Floats:
        self.embedded += len(crops)
        means = crops[:, 20:-20, 20:-20].reshape(len(crops), -1, 3).mean(axis=1)
        colours = (means > means.max(axis=1, keepdims=True) / 2) @ np.array([1, 2, 4])
        return np.asarray(10 * np.eye(8, dtype=np.float32)[colours.astype(int)])


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def refused(self, words: str) -> None:
        """Check that it ended as errors that a user can cause do, in one line that holds `words`."""
        assert (self.code, self.err.count("\n")) == (1, 1)
        assert self.err.startswith("recog: ")
        assert words in self.err


Recog = Callable[..., Ended]


@functools.lru_cache(100)
def _square(colour: Colour, side: int, sharp: bool) -> Image:
    rows, columns = np.indices((side, side)) // max(2, side // 10)
    dark = ((rows + columns) % 2 * 0.45 if sharp else 0 * rows)[..., None]
    return (np.array(colour) * (1 - dark)).astype(np.uint8)


@functools.lru_cache(100)
def _nobody(width: int, height: int) -> Image:
    return np.full((height, width, 3), GREY, np.uint8)


class World:
    """Makes pictures and films of squares."""

    RED, GREEN, BLUE = RED, GREEN, BLUE

    @staticmethod
    def face(image: Image, colour: Colour, x: int, y: int, side: int = 64, sharp: bool = True) -> Image:
        """Draw one with its corner at x, y; a chequered one is sharp, a plain one blurred."""
        image[y : y + side, x : x + side] = _square(colour, side, sharp)
        return image

    @staticmethod
    def empty(width: int = 320, height: int = 240) -> Image:
        return _nobody(width, height).copy()

    def picture(self, path: Path, *colours: Colour, side: int = 80, sharp: bool = True) -> Path:
        """A picture of faces beside each other."""
        image = self.empty(max(320, 40 + (side + 20) * len(colours)))
        for i, colour in enumerate(colours):
            self.face(image, colour, 20 + i * (side + 20), 60, side, sharp)
        assert cv2.imwrite(str(path), image)
        return path

    def frames(self, count: int, *colours: Colour) -> Iterable[Image]:
        """Faces that drift to the right, each in a row of its own."""
        for i in range(count):
            image = self.empty()
            for row, colour in enumerate(colours):
                self.face(image, colour, 20 + 2 * i % 200, 20 + 110 * row)
            yield image

    def film(self, path: Path, *colours: Colour, count: int = 40, fps: float = 20.0) -> Path:
        codec = {".mp4": "mp4v", ".avi": "MJPG"}[path.suffix]
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, (320, 240))
        for image in self.frames(count, *colours):
            writer.write(image)
        writer.release()
        return path

    @staticmethod
    def colour_at(image: Image, box: Sequence[float] | Floats) -> Colour:
        """The colour of the face in a box."""
        x1, y1, x2, y2 = (int(value) for value in box)
        down, right = (y2 - y1) // 4, (x2 - x1) // 4
        mean = image[y1 + down : y2 - down, x1 + right : x2 - right].reshape(-1, 3).mean(axis=0)
        return max((RED, GREEN, BLUE), key=lambda colour: mean[int(np.argmax(colour))] - mean.min())


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def minute(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of a red and a green face, for tests that end before it does: a minute, ten frames a second."""
    return World().film(tmp_path_factory.mktemp("minute") / "long.mp4", RED, GREEN, count=600, fps=10)


def names(validation: bool, count: int) -> list[str]:
    """Names that fall on one side of the split."""
    every = [f"Person_{i:03d}" for i in range(200)]
    return split_people(every)[1 if validation else 0][:count]


def write_lfw(root: Path, world: World, people: dict[str, int], test: list[str]) -> Path:
    """Pictures with one square each, of a colour of the person's own, and the protocol's lists of people."""
    random = np.random.default_rng(0)
    for name, images in people.items():
        folder = root / "lfw-deepfunneled" / name
        folder.mkdir(parents=True)
        colour = random.permutation([20, 60, 230]) + random.integers(-20, 20, 3)
        for number in range(1, images + 1):
            x, y = random.integers(40, 70, 2)
            picture = world.face(world.empty(192, 192), tuple(colour.tolist()), int(x), int(y), 80)
            cv2.imwrite(str(folder / f"{name}_{number:04d}.jpg"), picture)
    halves = [n for n in people if n not in test], test
    folds = [line for half in halves for line in (str(len(half)), *(f"{n}\t{people[n]}" for n in half))]
    (root / "people.txt").write_text("\n".join(["2", *folds]) + "\n")
    for part, chosen in zip(("Train", "Test"), halves, strict=True):
        lines = [str(len(chosen)), *(f"{name}\t{people[name]}" for name in chosen)]
        (root / f"peopleDev{part}.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def held_out() -> list[str]:
    """The people of `root` who are neither to be fitted nor to be validated on."""
    return names(False, 12)[10:]


@pytest.fixture
def root(tmp_path: Path, world: World, held_out: list[str]) -> Path:
    """A small LFW: ten people to fit and three to validate on with three pictures each, and two held out."""
    fit, validation = names(False, 12), names(True, 3)
    people = dict.fromkeys([*fit, *validation], 3)
    return write_lfw(tmp_path / "lfw", world, people, test=held_out)


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> FakeDetector:
    """The detector that `pipeline.detectors` builds for the length of a test."""
    fake = FakeDetector()
    monkeypatch.setattr(detectors, "detector", lambda settings, graphs=None: fake)
    return fake


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEmbedder:
    """The embedder that `pipeline.build` builds for the length of a test; no strangers ship with it."""
    fake = FakeEmbedder()
    monkeypatch.setattr(build, "embedder", lambda settings: fake)
    monkeypatch.setattr("siamese.cohort.cohort_path", lambda model: tmp_path / "none.cohort.npz")
    return fake


@pytest.fixture
def recog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Recog:
    """The command line in this process: `recog("run", "--source", film)`. What OpenCV prints is seen, too."""
    from pipeline import cli

    monkeypatch.setattr(build, "GALLERY", tmp_path / "home" / "gallery.db")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["recog", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        return Ended(int(ended.value.code or 0), out, err)

    return command


@pytest.fixture
def until() -> Callable[..., Any]:
    """Waits until something is so, and gives what it is."""

    def wait(so: Callable[[], Any], seconds: float = 20.0) -> Any:
        end, pause = time.monotonic() + seconds, 0.01
        while time.monotonic() < end:
            if found := so():
                return found
            time.sleep(pause)
            pause = min(0.1, 1.2 * pause)  # to ask a service takes more than to wait for it
        raise AssertionError(f"not so after {seconds:g} s")

    return wait


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder, and the address at which it is served, as `served / "address"` tells."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    root = tmp_path / "served"
    root.mkdir()
    handler = functools.partial(Quiet, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        (root / "address").write_text(f"http://127.0.0.1:{server.server_port}")
        yield root
        server.shutdown()
        thread.join()


# In each half of a frame, the box around what is nearly black. The first number of `scores` is a person's.
PEOPLE = """<ir_version: 8, opset_import: ["" : 17]>
people (float[1, 3, height, width] images) => (float[1, 84, 2] output0) {
    limit = Constant<value_float = 0.3>()
    zero = Constant<value_float = 0.0>()
    one = Constant<value_float = 1.0>()
    two = Constant<value_float = 2.0>()
    far = Constant<value_float = 1000000.0>()
    along = Constant<value_int = 1>()
    front = Constant<value_ints = [0]>()
    which = Constant<value = float[2, 1] {0, 1}>()
    scores = Constant<value = float[2, 80] {SCORES}>()
    brightest = ReduceMax<axes = [1], keepdims = 0>(images)
    dark = Less(brightest, limit)
    black = Cast<to = 1>(dark)
    left_half, right_half = Split<axis = 2>(black)
    halves = Concat<axis = 0>(left_half, right_half)
    columns = ReduceMax<axes = [1], keepdims = 0>(halves)
    rows = ReduceMax<axes = [2], keepdims = 0>(halves)
    x_none = Mul(columns, zero)
    x_ones = Add(x_none, one)
    x_ends = CumSum(x_ones, along)
    x_starts = Sub(x_ends, one)
    x_hit = Greater(columns, zero)
    x_first = Where(x_hit, x_starts, far)
    x_last = Mul(columns, x_ends)
    x_1 = ReduceMin<axes = [1]>(x_first)
    x_2 = ReduceMax<axes = [1]>(x_last)
    x_size = Sub(x_2, x_1)
    x_sum = Add(x_1, x_2)
    x_mid = Div(x_sum, two)
    y_none = Mul(rows, zero)
    y_ones = Add(y_none, one)
    y_ends = CumSum(y_ones, along)
    y_starts = Sub(y_ends, one)
    y_hit = Greater(rows, zero)
    y_first = Where(y_hit, y_starts, far)
    y_last = Mul(rows, y_ends)
    y_1 = ReduceMin<axes = [1]>(y_first)
    y_2 = ReduceMax<axes = [1]>(y_last)
    y_size = Sub(y_2, y_1)
    y_sum = Add(y_1, y_2)
    y_mid = Div(y_sum, two)
    half = ReduceMax<axes = [1]>(x_ends)
    offset = Mul(half, which)
    x_middle = Add(x_mid, offset)
    table = Concat<axis = 1>(x_middle, y_mid, x_size, y_size, scores)
    places = Transpose<perm = [1, 0]>(table)
    output0 = Unsqueeze(places, front)
}"""


@pytest.fixture(scope="session")
def people_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph that finds people as a YOLO for COCO's classes would: in each half of a frame, what is black.

    What it computes is exact; all that it says of itself is as ultralytics writes it.
    """
    onnx = pytest.importorskip("onnx", reason="needs onnx: install recog[train]")
    scores = [0.9] + [0] * 79 + [0.8] + [0] * 79
    graph = onnx.parser.parse_model(PEOPLE.replace("SCORES", ", ".join(map(str, scores))))
    names = {number: "person" if number == 0 else f"thing {number}" for number in range(80)}
    said = {"task": "detect", "names": str(names), "end2end": "False", "args": "{'nms': False}"}
    onnx.helper.set_model_props(graph, said | {"license": "none", "version": "made up"})
    path = tmp_path_factory.mktemp("people") / "people.onnx"
    onnx.save(graph, str(path))
    return path
