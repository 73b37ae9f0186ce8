"""One real epoch on painted faces: what it writes, what it does not, and what it refuses."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.detection.training import schedule
from pipeline.detection.training.train import DetectorTraining, frozen, settings_from, train
from pipeline.errors import ConfigError, DetectorError

# Torch's own, and of the trainer that ultralytics builds on it.
pytestmark = pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning"
)


def narrow(ultralytics: Any, folder: Path) -> Path:
    """Ultralytics' description of the network, half as wide, so that an epoch takes seconds."""
    from ultralytics.utils import YAML

    models = Path(ultralytics.__file__).parent / "cfg" / "models"
    description = YAML.load(models / "26" / "yolo26-pose.yaml") | {"scales": {"n": [0.33, 0.125, 256]}}
    YAML.save(folder / "yolo26n-pose.yaml", description)
    return folder / "yolo26n-pose.yaml"


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


class Trained:
    """What one training did, interrupted after its first epoch and resumed; once for all tests."""

    def __init__(self, ultralytics: Any, face_set: Any, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.connections: list[object] = []
        self.precisions: list[tuple[bool, Any]] = []
        self.threads = 0
        self.spared: list[int] = []
        self.landmark_losses: list[float] = []
        self.data = face_set(folder)
        model = narrow(ultralytics, folder)
        (folder / "here").mkdir()
        (folder / "home").mkdir()
        patch.chdir(folder / "here")
        patch.setenv("HOME", str(folder / "home"))
        self.without_network(patch)
        self.watch(patch)
        before = files(folder)
        self.out = folder / "runs" / "face"
        settings = DetectorTraining(
            model=str(model), size=64, epochs=2, batch=4, threads=1, degrade=0.5, roll=30, landmark_sigma=0.08
        )
        with self.interrupted(), pytest.raises(KeyboardInterrupt):
            train(self.data, self.out, settings)
        self.epochs_before = self.epochs()
        self.best = train(self.data, self.out, settings, resume=True)
        self.written = files(folder) - before

    def epochs(self) -> list[str]:
        lines = (self.out / "results.csv").read_text().splitlines()
        return [line.split(",")[0].strip() for line in lines[1:]]

    @contextmanager
    def interrupted(self) -> Iterator[None]:
        """As if somebody pressed Ctrl-C just after the first checkpoint was written."""
        from ultralytics.engine.trainer import BaseTrainer

        save = BaseTrainer.save_model

        def save_and_stop(trainer: Any) -> None:
            save(trainer)
            raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(BaseTrainer, "save_model", save_and_stop)
            yield

    def without_network(self, patch: pytest.MonkeyPatch) -> None:
        connect = socket.socket.connect

        def local_only(self_: socket.socket, address: Any) -> None:
            if self_.family != socket.AF_UNIX:  # those belong to the workers that load images
                self.connections.append(address)
                raise OSError("no network in this test")
            connect(self_, address)

        patch.setattr(socket.socket, "connect", local_only)

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """Note in which precision the network's first layers compute, and how much is spared."""
        import torch
        from ultralytics.nn.modules import Conv

        from pipeline.detection.training.landmark_loss import LandmarkLoss
        from pipeline.detection.training.unsure import Sparing

        forward = Conv.forward

        def watched(module: Any, x: Any) -> Any:
            result = forward(module, x)
            if torch.is_grad_enabled():
                self.threads = torch.get_num_threads()
                self.precisions.append((module.training, result.dtype))
            return result

        patch.setattr(Conv, "forward", watched)
        plain = Sparing.forward

        def spares(module: Sparing, logits: Any, targets: Any) -> Any:
            self.spared.append(0 if module.spared is None else int(module.spared.sum()))
            return plain(module, logits, targets)

        patch.setattr(Sparing, "forward", spares)
        landmarks = LandmarkLoss.forward

        def loses(module: LandmarkLoss, *arguments: Any) -> Any:
            assert module.sigma == 0.08
            self.landmark_losses.append(float((lost := landmarks(module, *arguments)).detach()))
            return lost

        patch.setattr(LandmarkLoss, "forward", loses)


@pytest.fixture(scope="module")
def trained(ultralytics: Any, face_set: Any, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    with pytest.MonkeyPatch.context() as patch:
        return Trained(ultralytics, face_set, tmp_path_factory.mktemp("training"), patch)


def test_training_writes_the_best_weights_and_can_be_read_back(trained: Trained, ultralytics: Any) -> None:
    assert trained.best == trained.out / "weights" / "best.pt"
    model = ultralytics.YOLO(trained.best)
    assert model.task == "pose"
    assert model.names == {0: "face"}
    assert list(model.model.model[-1].kpt_shape) == [5, 3]


def test_places_that_are_unsure_are_spared_and_no_class_of_the_network(
    trained: Trained, ultralytics: Any
) -> None:
    labels = [path.read_text() for path in (trained.data.parent / "labels" / "train").iterdir()]
    assert all("\n1 " in label for label in labels if label)
    assert max(trained.spared) > 0
    assert ultralytics.YOLO(trained.best).model.model[-1].nc == 1


def test_landmarks_are_learned_by_their_own_loss_and_images_rolled_as_far_as_asked(trained: Trained) -> None:
    assert trained.landmark_losses
    assert all(0 < each < 1 for each in trained.landmark_losses)
    assert "degrees: 30" in (trained.out / "args.yaml").read_text()


def test_training_writes_nothing_outside_its_folder_but_the_cache_of_labels(trained: Trained) -> None:
    written = {path for path in trained.written if not path.startswith("runs/face/")}
    assert written == {"dataset/labels/train.cache", "dataset/labels/val.cache"}


def test_an_interrupted_training_goes_on_where_it_stopped(trained: Trained) -> None:
    assert trained.epochs_before in ([], ["1"])  # the line of an epoch may be written after its checkpoint
    assert trained.epochs()[-1] == "2"
    assert len(trained.epochs()) <= 2


def test_training_asks_nothing_of_the_network(trained: Trained) -> None:
    assert trained.connections == []


def test_the_passes_run_in_bfloat16_on_a_processor_that_has_it(trained: Trained) -> None:
    import torch

    from siamese.training.precision import in_bfloat16

    seen = {dtype for training, dtype in trained.precisions if training}
    assert (torch.bfloat16 in seen) == in_bfloat16("cpu")
    assert seen <= {torch.bfloat16, torch.float32}


@pytest.mark.parametrize("name", ["best.pt", "last.pt"])
def test_the_hook_for_bfloat16_does_not_get_into_the_saved_weights(trained: Trained, name: str) -> None:
    import torch

    saved = torch.load(trained.out / "weights" / name, weights_only=False)
    for model in filter(None, (saved.get("model"), saved.get("ema"))):
        assert "predict" not in vars(model)
        assert {tensor.dtype for tensor in model.state_dict().values()} <= {
            torch.float16,
            torch.float32,
            torch.int64,
        }


def test_a_finished_training_cannot_be_resumed(trained: Trained) -> None:
    with pytest.raises(DetectorError, match=r"last\.pt: this training is finished"):
        train(trained.data, trained.out, DetectorTraining(), resume=True)


def test_resuming_what_never_began_says_so(tmp_path: Path) -> None:
    (tmp_path / "dataset.yaml").touch()
    with pytest.raises(DetectorError, match=r"last\.pt: no checkpoint to resume from"):
        train(tmp_path / "dataset.yaml", tmp_path / "out", DetectorTraining(), resume=True)
    assert files(tmp_path) == {"dataset.yaml"}


def test_a_missing_training_set_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="recog detector prepare"):
        train(tmp_path / "dataset.yaml", tmp_path / "out", DetectorTraining())


def test_settings_that_cannot_be_are_refused() -> None:
    for wrong in ({"threads": -1}, {"size": 100}, {"epochs": 0}, {"hours": 0}, {"speed": 1}):
        with pytest.raises(ValidationError):
            DetectorTraining.model_validate(wrong)


def test_ultralytics_keeps_its_settings_where_we_say(
    ultralytics: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert ultralytics.utils.USER_CONFIG_DIR.is_relative_to(tmp_path_factory.getbasetemp())


def test_what_a_user_chose_wrongly_is_said_in_one_line() -> None:
    assert settings_from({"rate": 0.002, "start": None}).rate == 0.002
    with pytest.raises(ConfigError, match=r"^--size 100: input should be a multiple of 32$"):
        settings_from({"size": 100})
    with pytest.raises(ConfigError, match=r"^--validate-each maybe: "):
        settings_from({"validate_each": "maybe"})


def test_the_commands_defaults_are_the_settings() -> None:
    import inspect

    from pipeline.commands.detector import train as command

    given = inspect.signature(command).parameters
    for name, field in DetectorTraining.model_fields.items():
        assert given[name].default == field.default, name


def test_threads_are_those_that_were_asked_for(trained: Trained) -> None:
    assert trained.threads == 1


def test_frozen_layers_stay_as_they_are_images_may_weigh_evenly_and_the_rate_goes_by_the_time(
    ultralytics: Any, face_set: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from ultralytics.engine.trainer import BaseTrainer

    step, rates = BaseTrainer.optimizer_step, set[float]()

    def watched(trainer: Any) -> None:
        rates.update(group["lr"] for group in trainer.optimizer.param_groups)
        step(trainer)

    monkeypatch.setattr(BaseTrainer, "optimizer_step", watched)
    monkeypatch.setattr(schedule, "share_of_rate", lambda _: 0.25)
    model = ultralytics.YOLO(str(narrow(ultralytics, tmp_path)), task="pose")
    model.save(tmp_path / "start.pt")
    settings = DetectorTraining(
        model=str(tmp_path / "start.pt"), size=64, batch=4, threads=1, freeze=23, even=True,
        hours=1 / 3600, rate=0.001,
    )  # fmt: skip
    trained = train(face_set(tmp_path), tmp_path / "runs" / "face", settings)
    before = ultralytics.YOLO(str(tmp_path / "start.pt")).model.state_dict()
    after = ultralytics.YOLO(str(trained)).model.state_dict()
    moved = {
        int(name.split(".")[1])
        for name, values in before.items()
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))
        and not torch.equal(values.half(), after[name].half())
    }
    assert moved == {23}
    assert list(rates) == [pytest.approx(0.00025)]


def test_of_scores_alone_nothing_else_is_learned(ultralytics: Any, face_set: Any, tmp_path: Path) -> None:
    import torch
    from ultralytics.utils import YAML

    # Of as many points and classes as the labels: for others ultralytics makes new layers.
    described = narrow(ultralytics, tmp_path)
    YAML.save(described, YAML.load(described) | {"nc": 1, "kpt_shape": [5, 3]})
    model = ultralytics.YOLO(str(described), task="pose")
    model.save(tmp_path / "start.pt")
    settings = DetectorTraining(
        model=str(tmp_path / "start.pt"), size=64, batch=4, threads=1, scores_only=True, epochs=1
    )
    trained = train(face_set(tmp_path), tmp_path / "runs" / "face", settings)
    before = ultralytics.YOLO(str(tmp_path / "start.pt")).model.state_dict()
    after = ultralytics.YOLO(str(trained)).model.state_dict()
    moved = {
        ".".join(name.split(".")[1:3])
        for name, values in before.items()
        if not torch.equal(values.half(), after[name].half())
    }
    assert moved == {"23.cv3", "23.one2one_cv3"}


def test_a_network_whose_scores_have_no_layers_of_their_own_cannot_learn_them_alone() -> None:
    from torch import nn

    network = nn.Module()
    network.model = nn.Sequential(nn.Conv2d(3, 4, 1))
    settings = DetectorTraining(model="mine.pt", scores_only=True)
    with pytest.raises(
        DetectorError, match=r"^mine\.pt: its scores have no layers of their own; leave out --scores-only$"
    ):
        frozen(network, settings)
