"""Training, on coloured blobs: that it learns, and that stopping it changes nothing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from siamese import metrics
from siamese.crops import CropSet
from siamese.errors import DataError
from siamese.settings import ModelSettings, TrainSettings
from siamese.training import checkpoint
from siamese.training.embed import embed
from siamese.training.faces import Faces
from siamese.training.model import Siamese
from siamese.training.target import direct
from siamese.training.teacher import unit
from siamese.training.train import Step, average, schedule, train

Blobs = Callable[[int, int, int], CropSet]
Interrupt = Callable[[int], Callable[[Step], None]]
STEPS = 6  # of `run`: two epochs of 24 faces

# Of tensorboard's own protocol buffers, under some versions of numpy.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard.*")


def same(one: object, other: object) -> bool:
    """Whether two states are equal bit for bit, whatever they consist of."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(same(one[k], other[k]) for k in one)
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))  # type: ignore[arg-type]
    return one == other


def scalars(out: Path) -> dict[str, dict[int, float]]:
    events = EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    return {
        tag: {event.step: event.value for event in events.Scalars(tag)} for tag in events.Tags()["scalars"]
    }


def test_it_learns_to_tell_people_apart_that_it_has_not_seen(
    tmp_path: Path, small: ModelSettings, blobs: Blobs
) -> None:
    crops, strangers = blobs(40, 4, 1), blobs(12, 3, 2)
    settings = TrainSettings(batch=16, epochs=4, rate=5e-3, augment="none", averaging=0.8, threads=1)
    untrained = embed(Siamese(small), strangers.images)
    before = metrics.verification(*metrics.every_pair(untrained, strangers.labels()))["auc"]
    best = train(Faces(crops.images, crops.labels()), strangers, small, settings, tmp_path)
    network = checkpoint.build(checkpoint.load(best))
    figures = metrics.verification(*metrics.every_pair(embed(network, strangers.images), strangers.labels()))
    assert figures["auc"] > max(0.9, before)


@pytest.mark.parametrize("stop", [2, 3])
@pytest.mark.parametrize(
    "changes",
    [
        {"augment": "strong"},
        {"batches": "pairs", "optimizer": "adam", "schedule": "constant", "averaging": 0.0},
    ],
    ids=["people", "pairs"],
)
def test_stopped_and_resumed_it_ends_bit_for_bit_as_uninterrupted(
    tmp_path: Path, run: Callable[..., Path], interrupt_at: Interrupt, stop: int, changes: dict[str, Any]
) -> None:
    run(tmp_path / "whole", changes)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", changes, progress=interrupt_at(stop))
    assert checkpoint.load(tmp_path / "parts/last.pt")["step"] == stop
    torch.manual_seed(12345)  # whatever happened in between
    run(tmp_path / "parts", changes, resume=True)
    for name in ("last.pt", "best.pt"):
        assert same(checkpoint.load(tmp_path / "whole" / name), checkpoint.load(tmp_path / "parts" / name))
    assert checkpoint.load(tmp_path / "parts/last.pt")["step"] == STEPS


def test_the_bits_do_depend_on_the_seed(tmp_path: Path, run: Callable[..., Path]) -> None:
    for seed in (1, 2):
        run(tmp_path / str(seed), {"seed": seed, "epochs": 1})
    one, other = (checkpoint.load(tmp_path / seed / "last.pt")["network"] for seed in "12")
    assert not same(one, other)


def test_resumed_at_the_end_there_is_nothing_to_do(tmp_path: Path, run: Callable[..., Path]) -> None:
    run(tmp_path)
    before = (tmp_path / "last.pt").read_bytes()
    told: list[Step] = []
    assert run(tmp_path, resume=True, progress=told.append) == tmp_path / "best.pt"
    assert not told
    assert (tmp_path / "last.pt").read_bytes() == before


def test_tensorboard_holds_each_step_once_even_of_a_resumed_run(
    tmp_path: Path, run: Callable[..., Path], interrupt_at: Interrupt
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, progress=interrupt_at(4))
    run(tmp_path, resume=True)
    found = scalars(tmp_path)
    steps = {"loss/bce", "loss/distill", "loss/similarity", "train/accuracy", "train/learning rate"}
    for tag in steps | {"train/images per second"}:
        assert sorted(found[tag]) == list(range(1, STEPS + 1)), tag
    assert sorted(found["validation/auc"]) == sorted(found["validation/eer"]) == [3, 6]
    assert 0 <= found["train/accuracy"][1] <= 1
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Images("validation/hard pairs")] == [3, 6]


def test_the_best_epoch_is_kept_and_not_the_last(
    tmp_path: Path, run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.6, 0.9, 0.7])
    monkeypatch.setattr("siamese.training.train.validate", lambda *_: next(scores))
    told: list[Step] = []
    best = run(tmp_path, {"epochs": 3}, progress=told.append, provenance={"who": "us"})
    assert best == tmp_path / "best.pt"
    kept = checkpoint.load(best)
    assert (kept["step"], kept["best"], kept["epoch"], kept["provenance"]) == (6, 0.9, 2.0, {"who": "us"})
    assert checkpoint.load(tmp_path / "last.pt")["step"] == 9
    assert [step.validation for step in told if step.validation] == [0.6, 0.9, 0.7]
    assert [step.epoch for step in told] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert all(step.speed > 0 for step in told)


def test_after_training_ctrl_c_does_what_it_did_before(
    tmp_path: Path, run: Callable[..., Path], interrupt_at: Interrupt
) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, progress=interrupt_at(1))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_thread_that_is_not_the_main_one_can_train(tmp_path: Path, run: Callable[..., Path]) -> None:
    thread = threading.Thread(target=run, args=(tmp_path, {"epochs": 1}))
    thread.start()
    thread.join()
    assert (tmp_path / "best.pt").is_file()


def test_naming_people_beside_the_pairs_is_learned_saved_and_resumed(
    tmp_path: Path, run: Callable[..., Path], interrupt_at: Interrupt
) -> None:
    settings = {"margin_weight": 0.5}
    run(tmp_path / "whole", settings)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", settings, progress=interrupt_at(2))
    run(tmp_path / "parts", settings, resume=True)
    whole, parts = (checkpoint.load(tmp_path / name / "last.pt") for name in ("whole", "parts"))
    assert whole["margin"]["directions"].shape == (8, 16)
    assert same(whole, parts)
    assert len(scalars(tmp_path / "whole")["loss/margin"]) == STEPS
    run(tmp_path / "without")
    without = checkpoint.load(tmp_path / "without" / "last.pt")
    assert without["margin"] == {}
    assert not same(without["network"], whole["network"])


def test_faces_that_make_no_pairs_cannot_be_trained_on_by_pairs(
    tmp_path: Path, run: Callable[..., Path], faces: Faces
) -> None:
    unknown = Faces(faces.images, np.full(24, -1, np.int64), faces.targets)
    with pytest.raises(DataError, match="cannot be trained on"):
        run(tmp_path, {"batches": "pairs"}, faces=unknown)


def test_faces_without_names_are_learned_from_the_teacher_alone(
    tmp_path: Path, run: Callable[..., Path], faces: Faces
) -> None:
    nobody, once = np.full(24, -1, np.int64), {"epochs": 1}
    for name, targets in (("one", faces.targets), ("other", [faces.targets[0][::-1].copy()])):
        run(tmp_path / name, once, faces=Faces(faces.images, nobody, targets))
        assert set(scalars(tmp_path / name)["loss/bce"].values()) == {0.0}
    one, other = (checkpoint.load(tmp_path / name / "last.pt")["network"] for name in ("one", "other"))
    assert not same(one["backbone.project.weight"], other["backbone.project.weight"])
    assert same(one["head.raw"], other["head.raw"])


def test_validation_faces_that_cannot_judge_are_refused_before_anything_is_written(
    tmp_path: Path, run: Callable[..., Path], blobs: Blobs
) -> None:
    nobody = blobs(2, 2, 3)
    nameless = CropSet(nobody.images, nobody.files, ("", "", "A", "A"), nobody.found, "blobs")
    for useless in (blobs(1, 4, 3), blobs(4, 1, 3), nameless):
        with pytest.raises(DataError, match="validation needs"):
            run(tmp_path / "run", validation=useless)
    assert not (tmp_path / "run").exists()


def test_the_rate_rises_and_falls_or_stays() -> None:
    rates = [schedule(progress / 100, TrainSettings()) for progress in range(101)]
    assert 0 < rates[0] < 0.1
    assert max(rates) == rates[5] == 1.0
    assert sorted(rates[5:], reverse=True) == rates[5:]
    assert 0 < rates[-1] < 0.01
    constant = TrainSettings(schedule="constant")
    assert {schedule(progress / 100, constant) for progress in range(101)} == {1.0}


def test_averaged_weights_follow_and_without_averaging_are_the_present_ones(small: ModelSettings) -> None:
    slow, fast = Siamese(small), Siamese(small)
    start = slow.head.raw.detach().clone()
    with torch.no_grad():
        fast.head.raw.add_(1.0)
    average(slow, fast, 0.9, step=1000)
    torch.testing.assert_close(slow.head.raw.detach(), start + 0.1)
    average(slow, fast, 0.9, step=1)  # early on, the start is forgotten faster: by 2 / 11
    torch.testing.assert_close(slow.head.raw.detach(), start + 1 - 0.9 * 2 / 11)
    average(slow, fast, 0.0, step=1000)
    assert same(slow.state_dict(), fast.state_dict())


DIRECT = {"direct": True, "optimizer": "muon", "schedule": "linear", "augment": "camera", "frozen": 3}


def test_an_embedding_that_shall_be_the_teachers_begins_with_the_layer_that_fits_best(
    tmp_path: Path, run: Callable[..., Path], small: ModelSettings, blobs: Blobs
) -> None:
    crops = blobs(8, 3, 1)
    random = np.random.default_rng(0)
    teacher = unit(random.normal(size=(8, 24)).astype(np.float32))[crops.labels()]
    taught = Faces(crops.images, crops.labels(), [teacher])
    (wanted,) = direct(taught, 8).targets
    narrow = small.model_copy(update={"embedding": 8})
    first = run(tmp_path / "first", {"rate": 1e-3})
    begun = run(
        tmp_path / "second", DIRECT | {"rate": 1e-9, "averaging": 0.0}, start=first, faces=taught,
        model_settings=narrow,
    )  # fmt: skip
    network = checkpoint.build(checkpoint.load(begun))
    found = embed(network, crops.images)
    fitted = float((found * wanted).sum(1).mean())
    unfitted = embed(Siamese(narrow), crops.images)
    assert fitted > 0.3 + float((unfitted * wanted).sum(1).mean())
    before = checkpoint.load(first)["averaged"]
    kept = "backbone.features.0.weight"
    assert torch.equal(before[kept], checkpoint.load(begun)["averaged"][kept])


@pytest.mark.parametrize("changes", [DIRECT])
def test_the_recipe_with_direct_targets_resumes_bit_for_bit(
    tmp_path: Path, run: Callable[..., Path], interrupt_at: Interrupt, changes: dict[str, Any],
    small: ModelSettings, faces: Faces,
) -> None:  # fmt: skip
    random = np.random.default_rng(0)
    wide = Faces(faces.images, faces.labels, [unit(random.normal(size=(24, 20)).astype(np.float32))])
    whole = run(tmp_path / "whole", changes, faces=wide).with_name("last.pt")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "halves", changes, faces=wide, progress=interrupt_at(2))
    run(tmp_path / "halves", changes, faces=wide, resume=True)
    one, other = (checkpoint.load(path) for path in (whole, tmp_path / "halves" / "last.pt"))
    assert same(one, other)


def test_direct_targets_without_a_teacher_are_refused(
    tmp_path: Path, run: Callable[..., Path], faces: Faces
) -> None:
    with pytest.raises(DataError, match="a teacher"):
        run(tmp_path, DIRECT, faces=Faces(faces.images, faces.labels))


def test_a_checkpoint_of_before_a_setting_was_there_goes_on(
    tmp_path: Path, run: Callable[..., Path], interrupt_at: Interrupt
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, progress=interrupt_at(2))
    state = checkpoint.load(tmp_path / "last.pt")
    del state["train_settings"]["direct"], state["train_settings"]["frozen"], state["format"]
    checkpoint.save(tmp_path / "last.pt", state)
    assert run(tmp_path, resume=True).is_file()
