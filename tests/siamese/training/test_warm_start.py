"""An exported network, back in one that can be trained: the same function, once more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from siamese.calibration import Calibration
from siamese.errors import ModelError
from siamese.settings import ModelSettings
from siamese.training.export import export, traced
from siamese.training.faces import Faces
from siamese.training.model import Siamese
from siamese.training.quantise import quantised
from siamese.training.warm_start import from_export, provenance_of

CALIBRATION = Calibration(4.0, 0.5, 7.0, 100, 3000)


@pytest.fixture(scope="module")
def faces() -> Faces:
    random = np.random.default_rng(0)
    target = random.normal(size=(80, 24)).astype(np.float32)
    target /= np.linalg.norm(target, axis=1, keepdims=True)
    return Faces(random.integers(0, 256, (80, 112, 112, 3), np.uint8), np.zeros(80, np.int64), [target])


def trained_from(path: Path, faces: Faces) -> Siamese:
    """The network that a training which begins with `path` begins with."""
    state = from_export(path, faces)
    network = Siamese(ModelSettings.model_validate(state["model_settings"]))
    network.load_state_dict(state["averaged"])
    return network.eval()


def embeddings(network: Siamese, faces: Faces) -> torch.Tensor:
    with torch.no_grad():
        return network.weighted(torch.from_numpy(faces.images[np.arange(12)]))


def test_the_network_embeds_as_the_exported_one(network: Siamese, exported: Path, faces: Faces) -> None:
    again = trained_from(exported, faces)
    assert again.settings == network.settings
    assert float(again.head.bias.detach()) == pytest.approx(float(network.head.bias.detach()))
    torch.testing.assert_close(embeddings(again, faces), embeddings(network, faces), atol=1e-4, rtol=1e-3)


def test_weights_in_integers_come_back_as_nearly_what_they_were(
    network: Siamese, faces: Faces, tmp_path: Path
) -> None:
    bare = traced(network, tmp_path / "bare.onnx")
    graph = quantised(bare, ({"crops": faces.images[np.array([row])]} for row in range(20)))
    export(network, tmp_path / "integers.onnx", CALIBRATION, {}, graph)
    expected = embeddings(network, faces)
    found = embeddings(trained_from(tmp_path / "integers.onnx", faces), faces)
    assert not torch.equal(expected, found)
    assert torch.nn.functional.cosine_similarity(expected, found).min() > 0.98


def test_normalising_by_a_batch_is_nearly_what_normalising_by_the_statistics_is(
    exported: Path, faces: Faces
) -> None:
    network = trained_from(exported, faces)
    before, first = {}, network.backbone.features[1]
    first.register_forward_pre_hook(lambda _, inputs: before.setdefault("values", inputs[0]))
    with torch.no_grad():
        network(torch.from_numpy(faces.images[np.arange(64)]))
    torch.testing.assert_close(first.running_mean, before["values"].mean((0, 2, 3)), atol=0.02, rtol=0.05)
    assert float(first.weight.detach().min()) > 0


def test_what_it_knows_of_the_teachers_is_fitted_to_it(exported: Path, faces: Faces) -> None:
    guess = torch.nn.Linear(16, 24)
    guess.load_state_dict({name[2:]: value for name, value in from_export(exported, faces)["guess"].items()})
    network, target = trained_from(exported, faces), torch.from_numpy(faces.targets[0])
    with torch.no_grad():
        inputs = network(torch.from_numpy(faces.images[np.arange(80)]))
        error = (guess(inputs) - target).square().mean()
        assert error < (target - target.mean(0)).square().mean()
        for parameter in guess.parameters():  # the best there is: any step makes it worse
            parameter += 1e-2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
        assert (guess(inputs) - target).square().mean() > error


def test_its_card_is_what_the_training_began_with(exported: Path) -> None:
    assert provenance_of(exported)["trained on"] == "coloured blobs"


@pytest.mark.parametrize("change", [{"backbone": "koch"}, {"widths": (4, 4, 8, 16)}, {"activation": "prelu"}])
def test_a_file_whose_weights_are_of_another_network_is_refused(
    exported: Path, faces: Faces, tmp_path: Path, change: dict[str, object]
) -> None:
    model = onnx.load(str(exported))
    for entry in model.metadata_props:
        if entry.key == "recog.model":
            settings = ModelSettings.model_validate_json(entry.value)
            entry.value = settings.model_copy(update=change).model_dump_json()
    onnx.save(model, str(tmp_path / "other.onnx"))
    with pytest.raises(ModelError, match=r"other\.onnx: holds no network that can be trained on"):
        from_export(tmp_path / "other.onnx", faces)


def test_a_file_that_is_no_embedder_is_refused(exported: Path, faces: Faces, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx: no such file"):
        provenance_of(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("this is no graph")
    with pytest.raises(ModelError, match=r"text\.onnx: cannot be read as an ONNX graph"):
        from_export(tmp_path / "text.onnx", faces)
    model = onnx.load(str(exported))
    kept = [entry for entry in model.metadata_props if entry.key != "recog.card"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save(model, str(tmp_path / "silent.onnx"))
    with pytest.raises(ModelError, match=r"silent\.onnx: does not say how it was made"):
        provenance_of(tmp_path / "silent.onnx")
    del model.metadata_props[:]
    onnx.save(model, str(tmp_path / "bare.onnx"))
    with pytest.raises(ModelError, match=r"bare\.onnx: not an embedder that recog export wrote"):
        provenance_of(tmp_path / "bare.onnx")
