"""Checkpoints: written whole, and read without trust."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from siamese.errors import ModelError
from siamese.training import checkpoint
from siamese.training.model import Siamese


@pytest.fixture
def state(network: Siamese) -> dict[str, Any]:
    weights = network.state_dict()
    return {
        "model_settings": network.settings.model_dump(),
        "train_settings": {},
        "network": {name: torch.zeros_like(value) for name, value in weights.items()},
        "averaged": weights,
        "guess": {},
        "optimizer": {},
        "random": torch.get_rng_state(),
        "step": 3,
        "epoch": 0.5,
        "best": 0.9,
        "provenance": {"people": ["Ann", "Bo"]},
    }


def test_what_was_saved_is_loaded(tmp_path: Path, state: dict[str, Any]) -> None:
    checkpoint.save(tmp_path / "runs" / "last.pt", state)
    loaded = checkpoint.load(tmp_path / "runs" / "last.pt")
    assert loaded["provenance"] == state["provenance"]
    assert torch.equal(loaded["random"], state["random"])
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["last.pt"]


def test_the_network_is_built_with_its_averaged_weights(
    tmp_path: Path, state: dict[str, Any], network: Siamese
) -> None:
    checkpoint.save(tmp_path / "best.pt", state)
    built = checkpoint.build(checkpoint.load(tmp_path / "best.pt"))
    images = torch.randint(0, 256, (2, 112, 112, 3), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(built.weighted(images), network.weighted(images))
    assert not built.training


def test_an_interrupted_write_leaves_the_old_checkpoint(
    tmp_path: Path, state: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(path, state)

    def interrupted(_: object, file: Path) -> None:
        file.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(path, state | {"step": 4})
    assert checkpoint.load(path)["step"] == 3


@pytest.mark.parametrize("share", [0.0, 0.2, 0.9])
def test_a_checkpoint_cut_short_is_an_error(tmp_path: Path, state: dict[str, Any], share: float) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(path, state)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelError, match=r"last\.pt: not a checkpoint that can be read"):
        checkpoint.load(path)


def test_what_is_no_checkpoint_of_ours_is_an_error(tmp_path: Path, state: dict[str, Any]) -> None:
    path = tmp_path / "other.pt"
    with pytest.raises(ModelError, match="no such checkpoint"):
        checkpoint.load(path)
    path.write_text("some text")
    with pytest.raises(ModelError, match="not a checkpoint that can be read"):
        checkpoint.load(path)
    lacking = {"format": checkpoint.FORMAT} | {
        key: value for key, value in state.items() if key != "averaged"
    }
    for content in (torch.zeros(3), {"weights": torch.zeros(3)}, state | {"format": 0}, lacking):
        torch.save(content, path)
        with pytest.raises(ModelError, match="not a checkpoint of this version"):
            checkpoint.load(path)


class Evil:
    """Would write a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, state: dict[str, Any], zipped: bool) -> None:
    proof, path = tmp_path / "proof", tmp_path / "evil.pt"
    torch.save({"format": 1, **state, "best": Evil(proof)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelError, match="not a checkpoint that can be read"):
        checkpoint.load(path)
    assert not proof.exists()
    path.write_bytes(pickle.dumps(Evil(proof)))
    with pytest.raises(ModelError, match="not a checkpoint that can be read"):
        checkpoint.load(path)
    assert not proof.exists()
    pickle.loads(pickle.dumps(Evil(proof)))  # it would have, had it been run
    assert proof.exists()


def test_weights_that_do_not_fit_their_description_are_an_error(state: dict[str, Any]) -> None:
    for settings in ({"embedding": 32}, {"backbone": "unheard-of"}, {"unheard": 1}):
        with pytest.raises(ModelError, match="cannot build"):
            checkpoint.build(state | {"model_settings": state["model_settings"] | settings})
