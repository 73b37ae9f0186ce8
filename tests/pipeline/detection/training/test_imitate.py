"""Learning from a teacher: what it is asked, what is far from it, and a real training that comes nearer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.detection.training.imitate import Imitating, Teacher
from pipeline.detection.training.train import DetectorTraining, settings_from, train
from pipeline.errors import ConfigError, DetectorError
from siamese.errors import ModelError
from siamese.session import open_session

pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"
)

FACE = {0: "face"}


@pytest.fixture(scope="module")
def taught(weights: Callable[..., Path], ultralytics: Any) -> Path:
    """Weights of a network with one head whose answers differ from place to place, with some sure ones."""
    from ultralytics.nn.modules.head import Pose26

    path = weights(26, "pose", FACE, likely=(0.5,))
    model = ultralytics.YOLO(str(path))
    head = model.model.model[-1]
    assert isinstance(head, Pose26)
    for name in [name for name in head._modules if name.startswith("one2one_")]:
        delattr(head, name)
    head.end2end = False
    for scale in head.cv2:
        torch.nn.init.normal_(scale[-1].weight, std=0.005)  # else some boxes would be inside out
        torch.nn.init.constant_(scale[-1].bias, 2.0)
    model.save(path)
    return path


@pytest.fixture(scope="module")
def teacher(taught: Path, exported: Callable[..., Path]) -> Path:
    return exported(taught, "teacher", dynamic=True)


@pytest.fixture
def network(taught: Path, ultralytics: Any) -> Any:
    """The network of these weights, ready for a loss."""
    model = ultralytics.YOLO(str(taught)).model
    model.args = SimpleNamespace(box=7.5, cls=0.5, dfl=1.5, pose=12.0, kobj=1.0, rle=1.0)
    for weight in model.parameters():
        weight.requires_grad_(True)
    return model


def images(count: int = 2) -> torch.Tensor:
    noise = torch.rand(count, 3, 5, 7, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(noise, size=(96, 128), mode="bilinear")


def batch(planes: torch.Tensor) -> dict[str, Any]:
    """One face in the middle of each image."""
    points = torch.tensor([[0.45, 0.45, 2], [0.55, 0.45, 2], [0.5, 0.5, 2], [0.45, 0.55, 2], [0.55, 0.55, 2]])
    count = len(planes)
    return {
        "img": planes,
        "batch_idx": torch.arange(count).float(),
        "cls": torch.zeros(count, 1),
        "bboxes": torch.tensor([[0.5, 0.5, 0.25, 0.25]]).repeat(count, 1),
        "keypoints": points.repeat(count, 1, 1),
    }


def answers(network: Any, planes: torch.Tensor) -> Any:
    """As in training, but with the normalisations of the export."""
    network.eval()
    network.model[-1].training = True  # of the head alone, not of its normalisations
    return network(planes)


def test_a_teacher_says_of_every_place_what_its_graph_does(teacher: Path) -> None:
    planes = images()
    told = Teacher(teacher)(planes, 12 * 16 + 6 * 8 + 3 * 4)
    (graph,) = open_session(teacher).run(None, {"images": planes.numpy()})
    np.testing.assert_array_equal(told.numpy(), graph.transpose(0, 2, 1))


def test_a_network_that_says_what_the_teacher_says_is_not_moved(teacher: Path, network: Any) -> None:
    planes = images()
    said = answers(network, planes)
    said["scores"].retain_grad()
    imitating = Imitating(network.init_criterion(), Teacher(teacher), 1.0)
    losses, _ = imitating(said, batch(planes))
    assert losses[0].item() == pytest.approx(0, abs=1e-3)
    assert losses[1].item() == pytest.approx(0, abs=1e-3)
    losses[3].backward()
    assert said["scores"].grad.abs().max() < 1e-4  # cross-entropy is least, not nothing, where both agree


@pytest.mark.parametrize("part", ["boxes", "scores", "kpts"])
def test_a_step_down_the_loss_comes_nearer_to_the_teacher(teacher: Path, network: Any, part: str) -> None:
    planes = images()
    with torch.no_grad():
        said = dict(answers(network, planes))
    noise = torch.randn(said[part].shape, generator=torch.Generator().manual_seed(2))
    moved = (said[part] + 0.3 * noise).requires_grad_()
    imitating = Imitating(network.init_criterion(), Teacher(teacher), 1.0)
    place = {"boxes": 0, "kpts": 1, "scores": 3}[part]

    def loss(value: torch.Tensor) -> torch.Tensor:
        return imitating(said | {part: value}, batch(planes))[0][place]

    before = loss(moved)
    before.backward()
    assert moved.grad is not None
    assert loss(moved.detach() - 0.01 * moved.grad / moved.grad.norm()) < before
    assert loss(said[part]) < before


def test_the_share_lies_between_the_labels_and_the_teacher(teacher: Path, network: Any) -> None:
    planes = images()
    said = answers(network, planes)

    def losses(share: float) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return Imitating(network.init_criterion(), Teacher(teacher), share)(said, batch(planes))

    plain, _ = network.init_criterion()(said, batch(planes))
    torch.testing.assert_close(losses(1e-9)[0], plain)
    quarter, named = losses(0.25)
    whole, _ = losses(1.0)
    torch.testing.assert_close(quarter, 0.75 * plain + 0.25 * whole)
    torch.testing.assert_close(torch.stack([*named.values()]) * len(planes), quarter.detach())
    for unshared in (2, 4, 5):  # visibility, the sides of the box, and how sure of the landmarks
        torch.testing.assert_close(quarter[unshared], plain[unshared])


def test_a_training_comes_nearer_to_its_teacher(
    teacher: Path, face_set: Any, ultralytics: Any, tmp_path: Path
) -> None:
    planes = images(4)
    told = Teacher(teacher)(planes, 252)

    def away(weights: Path) -> float:
        with torch.no_grad():
            said = ultralytics.YOLO(str(weights)).model.eval().float()(planes)[0]
        return float((said[:, 4] - told[..., 4]).abs().mean())

    settings = DetectorTraining(
        model="face-p", size=64, vary=0, epochs=1, batch=1, rate=0.03, validate_each=False, threads=1
    )
    data = face_set(tmp_path)
    labels = train(data, tmp_path / "labels", settings)
    taught = settings.model_copy(update={"model": str(labels), "teacher": teacher, "share": 1.0, "epochs": 2})
    assert away(train(data, tmp_path / "taught", taught)) < 0.9 * away(labels)


def test_an_interrupted_training_goes_on_with_its_teacher(
    teacher: Path, face_set: Any, ultralytics: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ultralytics.engine.trainer import BaseTrainer

    asked = []
    distances = Imitating._distances
    save = BaseTrainer.save_model

    def counted(self: Imitating, *given: Any) -> Any:
        asked.append(1)
        return distances(self, *given)

    def save_and_stop(trainer: Any) -> None:
        save(trainer)
        raise KeyboardInterrupt

    settings = DetectorTraining(
        model="face-p", teacher=teacher, size=64, vary=0, epochs=2, batch=4, threads=1
    )
    data = face_set(tmp_path)
    with monkeypatch.context() as stopping:
        stopping.setattr(BaseTrainer, "save_model", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            train(data, tmp_path / "run", settings)
    monkeypatch.setattr(Imitating, "_distances", counted)
    train(data, tmp_path / "run", settings, resume=True)
    assert asked


@pytest.mark.parametrize(
    ("task", "names", "arguments", "words"),
    [
        ("detect", FACE, {"dynamic": True}, "cannot teach"),
        ("pose", {0: "face", 1: "hand"}, {"dynamic": True}, "cannot teach"),
        ("pose", FACE, {}, "images of one size only"),
    ],
    ids=["no landmarks", "two classes", "one size"],
)
def test_a_graph_that_cannot_teach_is_refused_in_one_line(
    weights: Callable[..., Path],
    exported: Callable[..., Path],
    task: str,
    names: dict[int, str],
    arguments: dict[str, Any],
    words: str,
) -> None:
    graph = exported(weights(11, task, names, likely=(-1.0,) * len(names)), "other", **arguments)
    with pytest.raises(DetectorError, match=words) as caught:
        Teacher(graph)
    assert str(caught.value).startswith(f"{graph}: ")


def test_a_network_with_another_grid_is_refused(teacher: Path) -> None:
    with pytest.raises(DetectorError, match="another grid"):
        Teacher(teacher)(images(), 251)


def test_a_network_with_two_heads_is_refused(teacher: Path) -> None:
    with pytest.raises(DetectorError, match="one head"):
        Imitating(SimpleNamespace(one2many=None), Teacher(teacher), 0.5)


@pytest.mark.parametrize(("file", "words"), [("none.onnx", "no such model file"), ("text.onnx", "damaged")])
def test_a_teacher_that_is_none_is_refused_before_anything_is_trained(
    ultralytics: Any, face_set: Any, tmp_path: Path, file: str, words: str
) -> None:
    (tmp_path / "text.onnx").write_text("no graph")
    with pytest.raises(ModelError, match=words):
        train(face_set(tmp_path), tmp_path / "run", DetectorTraining(model="face-p", teacher=tmp_path / file))


@pytest.mark.parametrize("share", [0.0, 1.5])
def test_a_share_is_more_than_nothing_and_at_most_all(share: float) -> None:
    with pytest.raises(ConfigError, match=f"--share {share}"):
        settings_from({"share": share})
