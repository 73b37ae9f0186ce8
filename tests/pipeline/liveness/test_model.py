"""The slot for an anti-spoofing model, with real graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.liveness.model import SpoofModel, _share
from siamese.errors import ModelError

BOX = np.array([20, 20, 60, 60], np.float32)
SAID = {
    "liveness_live": "1",
    "liveness_scale": "1.0",
    "liveness_colour": "bgr",
    "liveness_range": "255",
    "license": "MIT",
}
# The mean of the first colour is the logit of class 0, that of the last of class 1.
GRAPH = """<ir_version: 8, opset_import: ["" : 17]>
spoof (float[n, 3, 16, 16] x) => (float[n, 2] y) {
    means = ReduceMean<axes = [2, 3], keepdims = 0>(x)
    which = Constant<value_ints = [0, 2]>()
    y = Gather<axis = 1>(means, which)
}"""


@pytest.fixture
def made(tmp_path: Path) -> Any:
    onnx = pytest.importorskip("onnx", reason="needs onnx: install recog[train]")

    def make(graph: str = GRAPH, **changes: str | None) -> Path:
        model = onnx.parser.parse_model(graph)
        said = {key: value for key, value in (SAID | changes).items() if value is not None}
        onnx.helper.set_model_props(model, said)
        path = tmp_path / "spoof.onnx"
        onnx.save(model, str(path))
        return path

    return make


def picture(colour: tuple[int, int, int]) -> Any:
    image = np.zeros((100, 100, 3), np.uint8)
    image[20:60, 20:60] = colour
    return image


def test_it_sees_the_face_in_the_colours_and_range_it_asks_for(made: Any) -> None:
    red, blue = picture((0, 0, 200)), picture((200, 0, 0))
    bgr = SpoofModel(made())
    assert bgr.live(red, BOX) > 0.99
    assert bgr.live(blue, BOX) < 0.01
    assert bgr.licence == "MIT"
    assert SpoofModel(made(liveness_colour="rgb")).live(red, BOX) < 0.01
    assert 0.5 < SpoofModel(made(liveness_range="1")).live(red, BOX) < 0.75


def test_it_may_see_more_than_the_face(made: Any) -> None:
    wide = SpoofModel(made(liveness_scale="2.0", liveness_range="1")).live(picture((0, 0, 200)), BOX)
    assert 0.5 < wide < 0.56  # a quarter of it is the face


@pytest.mark.parametrize(
    ("key", "value"),
    [(key, None) for key in SAID if key != "license"]
    + [("liveness_live", "-1"), ("liveness_scale", "x"), ("liveness_range", "7"), ("liveness_colour", "hsv")],
)
def test_a_model_that_does_not_say_what_it_expects_is_refused(made: Any, key: str, value: str | None) -> None:
    with pytest.raises(ModelError, match="metadata"):
        SpoofModel(made(**{key: value}))


def test_a_licence_that_is_not_stated_is_said_to_be_so(made: Any) -> None:
    assert SpoofModel(made(license=None)).licence == "not stated"


def test_what_makes_no_sense_is_no_life() -> None:
    assert _share(np.array([np.nan, 1.0]), 1) == 0.0
    assert _share(np.array([0.2, 0.8]), 5) == 0.0
    assert _share(np.array([0.2, 0.8]), 1) == 0.8
    assert _share(np.array([0.0, 3.0]), 1) == pytest.approx(0.9526, abs=1e-3)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no")
    with pytest.raises(ModelError):
        SpoofModel(tmp_path / "x.onnx")
