"""Going on: what a training may resume, and what it may begin with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from siamese.errors import ModelError
from siamese.settings import ModelSettings
from siamese.training import checkpoint
from siamese.training.faces import Faces
from siamese.training.model import Siamese
from siamese.training.train import Step

STILL = {"rate": 1e-12, "weight_decay": 0.0, "epochs": 1, "averaging": 0.0}  # nothing is learned

# Of tensorboard's own protocol buffers, under some versions of numpy.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard.*")

Interrupt = Callable[[int], Callable[[Step], None]]


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"rate": 1e-3}, "rate"), ({"seed": 5, "batch": 12}, "batch, seed"), ({"augment": "none"}, "augment")],
)
def test_other_settings_are_not_gone_on_with(
    tmp_path: Path, run: Callable[..., Path], interrupt_at: Interrupt, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, progress=interrupt_at(1))
    with pytest.raises(ModelError, match=f"trained with other {named};"):
        run(tmp_path, changes, resume=True)


def test_another_network_other_faces_and_other_teachers_are_not_gone_on_with(
    tmp_path: Path, run: Callable[..., Path], interrupt_at: Interrupt, faces: Faces, small: ModelSettings
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, progress=interrupt_at(1))
    with pytest.raises(ModelError, match="trained with other embedding;"):
        run(tmp_path, resume=True, model_settings=small.model_copy(update={"embedding": 8}))
    fewer = Faces(faces.images[:16], faces.labels[:16], [faces.targets[0][:16]])
    with pytest.raises(ModelError, match="3 batches of them instead of 2"):
        run(tmp_path, resume=True, faces=fewer)
    with pytest.raises(ModelError, match="other teachers"):
        run(tmp_path, resume=True, faces=Faces(faces.images, faces.labels))


def test_the_number_of_threads_may_change(
    tmp_path: Path, run: Callable[..., Path], interrupt_at: Interrupt
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, progress=interrupt_at(5))
    run(tmp_path, {"threads": 2}, resume=True)


def test_resumed_it_still_says_what_it_began_with(
    tmp_path: Path, run: Callable[..., Path], interrupt_at: Interrupt
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, progress=interrupt_at(1), provenance={"who": "us", "began with": {"who": "them"}})
    best = run(tmp_path, resume=True, provenance={"who": "us", "began with": None})
    assert checkpoint.load(best)["provenance"] == {"who": "us", "began with": {"who": "them"}}


def test_there_must_be_something_to_resume(tmp_path: Path, run: Callable[..., Path]) -> None:
    with pytest.raises(ModelError, match="no such checkpoint"):
        run(tmp_path, resume=True)


def test_it_can_begin_where_another_training_ended(tmp_path: Path, run: Callable[..., Path]) -> None:
    first = run(tmp_path / "first")
    second = run(tmp_path / "second", STILL, start=first)
    before, after = (checkpoint.load(path)["averaged"]["backbone.project.weight"] for path in (first, second))
    torch.testing.assert_close(after, before)


def test_it_can_begin_with_an_exported_network(
    tmp_path: Path, run: Callable[..., Path], exported: Path, network: Siamese
) -> None:
    begun = run(tmp_path / "begun", STILL, start=exported)
    weights = checkpoint.load(begun)["averaged"]
    torch.testing.assert_close(weights["backbone.project.weight"], network.backbone.project.weight.detach())
    torch.testing.assert_close(weights["head.raw"], network.head.raw.detach())


def test_it_does_not_begin_with_another_network(
    tmp_path: Path, run: Callable[..., Path], small: ModelSettings
) -> None:
    other = small.model_copy(update={"embedding": small.embedding * 2})
    first = run(tmp_path / "first", model_settings=other)
    with pytest.raises(ModelError, match="another network"):
        run(tmp_path / "second", start=first)


def test_with_other_teachers_it_begins_with_the_network_alone(
    tmp_path: Path, run: Callable[..., Path], faces: Faces
) -> None:
    first = run(tmp_path / "first")
    two = Faces(faces.images, faces.labels, [faces.targets[0], faces.targets[0][:, :4].copy()])
    second = run(tmp_path / "second", STILL, start=first, faces=two)
    before, after = checkpoint.load(first), checkpoint.load(second)
    name = "backbone.project.weight"
    torch.testing.assert_close(after["averaged"][name], before["averaged"][name])
    assert [len(after["guess"][f"{teacher}.weight"]) for teacher in (0, 1)] == [6, 4]
