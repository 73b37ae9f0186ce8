"""From one architecture to another: where it begins, where it ends, and a real training in between."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pipeline.detection.training.fade import Fade, Fading, fades, join, leave
from pipeline.detection.training.train import DetectorTraining, description, train
from pipeline.errors import ConfigError, DetectorError

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"
)

OLD = {"activation": "torch.nn.SiLU()", "10": "C2PSA, [1024]", "13": "C3k2, [512, True]"}
NEW = {"activation": "torch.nn.ReLU()", "10": "C3k2, [1024, False]", "13": "C3k2, [512, False]"}
Described = Callable[..., Path]


@pytest.fixture
def described(tmp_path: Path) -> Described:
    """Writes our smaller architecture with another activation and other layers 10 and 13, half as wide."""

    def write(name: str, layers: dict[str, str], width: str = "0.0625", extra: str = "") -> Path:
        text = Path(description("face-p")).read_text()
        text = re.sub(r"activation: \S+", f"activation: {layers['activation']}", text)
        text = re.sub(r"n: \[0\.50, 0\.125", f"n: [0.50, {width}", text)
        for number in ("10", "13"):
            text, found = re.subn(
                rf"- \[-1, \d, .*\]( # {number}\b)", rf"- [-1, 2, {layers[number]}]\1", text
            )
            assert found == 1
        (tmp_path / f"{name}.yaml").write_text(text.replace("head:", f"{extra}\nhead:"))
        return tmp_path / f"{name}.yaml"

    return write


@pytest.fixture
def network(ultralytics: Any, described: Described) -> Callable[..., Any]:
    """Makes an untrained network of such a description whose weights differ from layer to layer."""

    def make(layers: dict[str, str], seed: int, **different: str) -> Any:
        torch.manual_seed(seed)
        model = ultralytics.YOLO(str(described(f"n{seed}", layers, **different)), task="pose", verbose=False)
        for module in model.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.8, 1.4)
                nn.init.normal_(module.bias, std=0.1)
        return model

    return make


def answers(network: nn.Module) -> torch.Tensor:
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        out = network.eval()(images)
    found: torch.Tensor = out[0] if isinstance(out, tuple) else out
    return found


def set_share(network: nn.Module, share: float) -> int:
    layers = [layer for layer in network.modules() if isinstance(layer, Fade)]
    for layer in layers:
        layer.share = share
    return len(layers)


def test_it_begins_as_the_old_network_and_ends_as_the_new_one(network: Callable[..., Any]) -> None:
    old, new = network(OLD, 1).model, network(NEW, 2).model
    before = answers(old)
    assert not torch.allclose(answers(new), before, atol=1e-3)
    join(old, new, Path("old.pt"))
    assert fades(new)
    torch.testing.assert_close(answers(new), before)
    assert set_share(new, 0.5) > 20
    half = answers(new)
    set_share(new, 1.0)
    whole = answers(new)
    leave(new)
    assert not fades(new)
    torch.testing.assert_close(answers(new), whole)
    assert not torch.allclose(half, whole, atol=1e-4)
    assert not torch.allclose(half, before, atol=1e-4)
    left = [name for name, module in new.named_modules() if isinstance(module, nn.SiLU)]
    assert all("flow_model" in name for name in left)  # a part of the loss, which no export has


def test_only_what_differs_fades_and_of_it_only_the_new_layers_learn(network: Callable[..., Any]) -> None:
    old, new = network(OLD, 1).model, network(NEW, 2).model
    join(old, new, Path("old.pt"))
    with_weights = {
        name
        for name, layer in new.named_modules()
        if isinstance(layer, Fade) and list(layer.new.parameters())
    }
    assert with_weights == {"model.10", "model.13.m.0"}
    torch.testing.assert_close(new.model[5].conv.weight, old.model[5].conv.weight)
    frozen = {name for name, weight in new.named_parameters() if not weight.requires_grad}
    assert frozen
    assert all(name.startswith(("model.10.old.", "model.13.m.0.old.")) for name in frozen)


@pytest.mark.parametrize(
    ("different", "words"),
    [({"extra": "  - [-1, 1, Conv, [1024, 1, 1]]"}, "has 24 layers"), ({"width": "0.25"}, "architecture")],
    ids=["another layer", "wider"],
)
def test_a_network_that_differs_in_more_is_refused_in_one_line(
    network: Callable[..., Any], different: dict[str, str], words: str
) -> None:
    old, new = network(OLD, 1).model, network(NEW, 2, **different).model
    with pytest.raises(DetectorError, match=r"^old\.pt: ") as caught:
        join(old, new, Path("old.pt"))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_layers_that_do_not_fit_together_are_refused(network: Callable[..., Any]) -> None:
    narrower = NEW | {"10": "C3k2, [512, False]"}
    with pytest.raises(DetectorError, match=r"old\.pt: its layers are of other widths"):
        join(network(OLD, 1).model, network(narrower, 2).model, Path("old.pt"))


def test_a_training_fades_and_keeps_the_best_of_what_it_became(
    network: Callable[..., Any], described: Described, face_set: Any, ultralytics: Any, tmp_path: Path
) -> None:
    network(OLD, 1).save(tmp_path / "old.pt")
    new = described("new", NEW)
    settings = DetectorTraining(
        model=str(new), start=tmp_path / "old.pt", fade=1, size=64, epochs=2, batch=4, threads=1
    )
    best = train(face_set(tmp_path), tmp_path / "run", settings)
    for file in (best, best.with_name("last.pt")):
        became = ultralytics.YOLO(str(file)).model
        assert not fades(became)
        assert became.state_dict().keys() == network(NEW, 3).model.state_dict().keys()


def test_a_training_that_ends_too_early_says_so(
    network: Callable[..., Any], described: Described, face_set: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    network(OLD, 1).save(tmp_path / "old.pt")
    settings = DetectorTraining(
        model=str(described("new", NEW)),
        start=tmp_path / "old.pt",
        fade=1,
        size=64,
        epochs=1,
        batch=4,
        threads=1,
    )
    data = face_set(tmp_path)
    with pytest.raises(ConfigError, match="--epochs 1: not more than the 1 of --fade"):
        train(data, tmp_path / "run", settings)
    # With --hours, nobody knows beforehand how many passes there will be.
    monkeypatch.setattr(
        "pipeline.detection.training.train._fading", lambda start, _: Fading(start_of(start), start, 9)
    )
    with pytest.raises(DetectorError, match="ended while layers were fading in"):
        train(data, tmp_path / "run", settings)


@pytest.mark.parametrize("fixed", [{}, {"freeze": 3}, {"scores_only": True}])
def test_nothing_has_to_fade_where_a_start_is_of_the_same_architecture(
    fixed: dict[str, Any], network: Callable[..., Any], described: Described, face_set: Any, tmp_path: Path
) -> None:
    network(NEW, 1).save(tmp_path / "old.pt")
    settings = DetectorTraining(
        model=str(described("new", NEW)),
        start=tmp_path / "old.pt",
        size=64,
        epochs=1,
        batch=4,
        threads=1,
        **fixed,
    )
    train(face_set(tmp_path), tmp_path / "run", settings)  # fewer passes than --fade
    began, old = (
        start_of(tmp_path / "run" / "start.pt").state_dict(),
        start_of(tmp_path / "old.pt").state_dict(),
    )
    assert all(torch.equal(each, old[name]) for name, each in began.items())


@pytest.mark.parametrize(
    ("fixed", "option"), [({"freeze": 3}, "--freeze 3"), ({"scores_only": True}, "--scores-only")]
)
def test_layers_that_fade_in_cannot_stay_as_they_are(
    fixed: dict[str, Any],
    option: str,
    network: Callable[..., Any],
    described: Described,
    face_set: Any,
    tmp_path: Path,
) -> None:
    network(OLD, 1).save(tmp_path / "old.pt")
    settings = DetectorTraining(
        model=str(described("new", NEW)), start=tmp_path / "old.pt", fade=1, size=64, epochs=2, **fixed
    )
    with pytest.raises(ConfigError, match=rf"^{option}: layers that fade in from .*old\.pt have to learn"):
        train(face_set(tmp_path), tmp_path / "run", settings)


def test_a_training_that_stopped_while_it_faded_cannot_be_resumed(
    network: Callable[..., Any], described: Described, face_set: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    from ultralytics.engine.trainer import BaseTrainer

    save = BaseTrainer.save_model

    def save_and_stop(trainer: Any) -> None:
        save(trainer)
        raise KeyboardInterrupt

    monkeypatch.setattr(BaseTrainer, "save_model", save_and_stop)
    network(OLD, 1).save(tmp_path / "old.pt")
    settings = DetectorTraining(
        model=str(described("new", NEW)),
        start=tmp_path / "old.pt",
        fade=2,
        size=64,
        epochs=3,
        batch=4,
        threads=1,
    )
    data = face_set(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "run", settings)
    with pytest.raises(DetectorError, match="stopped while layers were fading in"):
        train(data, tmp_path / "run", settings, resume=True)


def start_of(file: Path) -> Any:
    from pipeline.detection.training.ultralytics import read

    return read(file).model


@pytest.mark.parametrize(("file", "words"), [("none.pt", "no such file"), ("text.pt", "cannot read")])
def test_a_start_that_is_none_is_refused(
    ultralytics: Any, face_set: Any, tmp_path: Path, file: str, words: str
) -> None:
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(DetectorError, match=words):
        train(face_set(tmp_path), tmp_path / "run", DetectorTraining(start=tmp_path / file))
