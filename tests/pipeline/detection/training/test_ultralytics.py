"""Nothing of a training is told to services whose packages happen to be installed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest


def test_a_training_is_told_to_no_service(ultralytics: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.utils.callbacks import base

    class Trainer(SimpleNamespace):
        """By whose name ultralytics knows whom to add its services to."""

    asked: list[str] = []

    def noted(name: str, package: str) -> Any:
        asked.append(name)
        return SimpleNamespace(callbacks={})

    monkeypatch.setattr(base, "import_module", noted)
    trainer: Any = Trainer(callbacks=base.get_default_callbacks())
    base.add_integration_callbacks(trainer)
    assert asked == []
