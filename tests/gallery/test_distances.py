"""L1 distances, held to SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from gallery.distances import l1


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (1, 1), (0, 4), (4, 0)])
def test_distances_are_scipys_whichever_side_is_longer(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    a, b = (random.normal(size=(count, 128)).astype(np.float32) for count in shape)
    found = l1(a, b)
    assert found.shape == shape
    np.testing.assert_allclose(found, cdist(a, b, "cityblock"), rtol=1e-14)
