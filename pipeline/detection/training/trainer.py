"""Ultralytics' trainer of poses, for labels with unsure places, and for images that are made worse."""

from __future__ import annotations

from typing import Any, cast

import torch
from ultralytics.models.yolo.pose import PoseTrainer

from pipeline.detection.training.degrade import degrade
from pipeline.detection.training.prepare import FACE_CLASS
from pipeline.detection.training.unsure import Sparing, places_in, take_out


class Trainer(PoseTrainer):
    """It trains a network of one class, whether or not the labels know of unsure places.

    `sparing` is filled when the training starts, with what takes part in its loss.
    """

    def __init__(self, degrade: float, **arguments: Any) -> None:
        """
        Args:
            degrade: share of the images that are made worse.
            arguments: of ultralytics.
        """
        super().__init__(**arguments)
        self.sparing: list[Sparing] = []
        self._share, self._random = degrade, torch.Generator().manual_seed(0)

    def get_dataset(self) -> Any:
        """The description of the training set. That its labels have two classes is the set's affair."""
        return {**super().get_dataset(), "nc": 1}

    def set_model_attributes(self) -> None:
        """What the network is told about itself."""
        super().set_model_attributes()  # type: ignore[no-untyped-call]
        cast("Any", self.model).names = {FACE_CLASS: "face"}

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        """A batch without its unsure places, which the loss is told of; images are made worse last."""
        batch = super().preprocess_batch(batch)
        image, boxes = take_out(batch)
        count, _, height, width = batch["img"].shape
        if len(boxes) and self.sparing:
            strides = [int(stride) for stride in cast("Any", self.model).stride]
            spared = places_in(image, boxes, count, (height, width), strides)
            for each in self.sparing:
                each.spared = spared
        if self._share:
            batch["img"] = degrade(batch["img"], self._share, self._random)
        return batch
