"""A deeper network begins as the shallower one it grew from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from siamese.errors import ModelError
from siamese.settings import ModelSettings
from siamese.training.grow import grown
from siamese.training.model import Siamese
from siamese.training.resume import continue_from

SHALLOW = ModelSettings(widths=(4, 8, 8, 16), blocks=(0, 1, 1, 2), embedding=8)
DEEP = SHALLOW.model_copy(update={"blocks": (1, 1, 3, 3)})


def trained(settings: ModelSettings) -> Siamese:
    """A network whose normalisations have seen something."""
    torch.manual_seed(0)
    network = Siamese(settings).train()
    for _ in range(3):
        network(torch.randint(0, 256, (4, 112, 112, 3), dtype=torch.uint8))
    return network.eval()


@pytest.mark.parametrize("activation", ["relu", "prelu"])
def test_a_grown_network_embeds_as_the_one_it_grew_from(activation: str) -> None:
    before = trained(SHALLOW.model_copy(update={"activation": activation}))
    after = Siamese(DEEP.model_copy(update={"activation": activation})).eval()
    after.load_state_dict(grown(before.state_dict(), before.settings, after))
    faces = torch.randint(0, 256, (3, 112, 112, 3), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(after(faces), before(faces))


@pytest.mark.parametrize(
    "change",
    [{"blocks": (0, 1, 1, 1)}, {"embedding": 16}, {"activation": "prelu"}, {"widths": (4, 8, 8, 32)}],
)
def test_a_network_cannot_shrink_or_become_another(change: dict[str, object]) -> None:
    other = Siamese(DEEP.model_copy(update=change))
    with pytest.raises(ValueError, match="blocks only"):
        grown(trained(SHALLOW).state_dict(), SHALLOW, other)


def test_training_may_begin_with_a_shallower_network_but_not_with_a_deeper_one() -> None:
    before, after, averaged = trained(SHALLOW), Siamese(DEEP), Siamese(DEEP)
    state = {"model_settings": SHALLOW.model_dump(), "averaged": before.state_dict(), "guess": {}}
    continue_from(state, Path("shallow.pt"), after, averaged, torch.nn.ModuleList())
    faces = torch.zeros((2, 112, 112, 3), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(averaged.eval()(faces), before(faces))
    state = {"model_settings": DEEP.model_dump(), "averaged": after.state_dict(), "guess": {}}
    with pytest.raises(ModelError, match=r"deep\.pt: is of another network"):
        continue_from(state, Path("deep.pt"), Siamese(SHALLOW), Siamese(SHALLOW), torch.nn.ModuleList())
