"""Learning from another detector: beside the labels, what a better network says at every place of the grid.

Labels know a face or none, are few, and now and then missing; a teacher's scores also tell how much a place
looks like one (Hinton et al., "Distilling the knowledge in a neural network", 2015). The teacher is an
exported graph and runs in onnxruntime; what it costs is in docs/experiments.md.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, cast

import torch
from torch.nn import functional

from pipeline.errors import DetectorError
from siamese.session import open_session

LEAST = 0.1  # score of the teacher from which its box and its landmarks are imitated
POINTS = 0.1  # weight of a landmark's distance, in sides of the face, against one minus its similarity


class Teacher:
    """An exported detector whose boxes and scores, place by place, are asked for."""

    def __init__(self, graph: Path, threads: int = 0) -> None:
        """
        Raises:
            DetectorError: not a graph of one class and five landmarks with a free input and raw output.
            siamese.errors.ModelError: missing, or not an ONNX model.
        """
        self._graph, self._session = graph, open_session(graph, threads, spin=False)
        described = self._session.get_modelmeta().custom_metadata_map
        raw = described.get("end2end", "False") == "False"
        one = len(ast.literal_eval(described.get("names", "{}"))) == 1
        if not (raw and one and described.get("kpt_shape") in ("[5, 3]", "(5, 3)")):
            raise DetectorError(f"{graph}: cannot teach: give a graph that recog detector export wrote")
        shape = self._session.get_inputs()[0].shape
        if any(isinstance(side, int) for side in (shape[0], *shape[2:])):
            raise DetectorError(f"{graph}: cannot teach: it takes images of one size only")

    def __deepcopy__(self, _: Any) -> Teacher:
        """Itself: ultralytics copies a network together with its loss, and this never changes."""
        return self

    def __call__(self, images: torch.Tensor, places: int) -> torch.Tensor:
        """What it says of images (n, 3, h, w) float32 RGB in 0..1: (n, places, 20) float32.

        Middle and size of the box in pixels, the score, and x, y and visibility of each landmark.

        Raises:
            DetectorError: its grid does not have as many places as the network that learns.
        """
        (said,) = self._session.run(None, {self._session.get_inputs()[0].name: images.cpu().numpy()})
        if said.shape[2] != places:
            raise DetectorError(f"{self._graph}: cannot teach a network with another grid than its own")
        return torch.from_numpy(said).to(images.device).transpose(1, 2)


class Imitating:
    """A loss of ultralytics' pose task, mixed with how far the network is from what a teacher says."""

    def __init__(self, plain: Any, teacher: Teacher, share: float) -> None:
        """
        Args:
            plain: `ultralytics.utils.loss.PoseLoss26`.
            share: of the imitation in the losses of boxes, landmarks and scores; the rest is the labels'.

        Raises:
            DetectorError: the loss is of a network with two heads, or with none for landmarks.
        """
        from ultralytics.utils.loss import PoseLoss26

        if not isinstance(plain, PoseLoss26):
            raise DetectorError(
                "only a network of one head with landmarks imitates: give --model face-n or face-p"
            )
        self._plain: Any = plain  # ultralytics declares no types of its own attributes
        self._teacher, self._share = teacher, share

    def __call__(self, said: Any, batch: dict[str, Any]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The losses times the batch's size, and each alone by its name, as ultralytics wants them."""
        losses, named = self._plain(said, batch)
        imitation = self._distances(said, batch["img"])
        names = list(named)
        for place, distance in zip((0, 1, 3), imitation, strict=True):  # box, landmarks, (visibility), score
            losses[place] = losses[place].lerp(distance * len(batch["img"]), self._share)
            named[names[place]] = losses[place].detach() / len(batch["img"])
        return losses, named

    def _distances(self, said: Any, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Losses of the boxes, of the landmarks and of the scores, each with its gain."""
        from ultralytics.utils import ops, tal
        from ultralytics.utils.metrics import bbox_iou

        # Ultralytics declares no types here.
        make_anchors, xywh2xyxy = cast("Any", tal.make_anchors), cast("Any", ops.xywh2xyxy)
        anchors, strides = make_anchors(said["feats"], self._plain.stride, 0.5)
        told = self._teacher(images, len(anchors))
        scores = told[..., 4]
        sure = scores > LEAST
        total = scores[sure].sum().clamp(min=1)
        logits = said["scores"].transpose(1, 2)[..., 0]
        score = functional.binary_cross_entropy_with_logits(logits, scores, reduction="sum") / total

        boxes = (self._plain.bbox_decode(anchors, said["boxes"].transpose(1, 2)) * strides)[sure]
        overlap = bbox_iou(boxes, xywh2xyxy(told[..., :4][sure]), xywh=False, CIoU=True)[:, 0]
        box = (scores[sure] * (1 - overlap)).sum() / total

        ours = said["kpts"].transpose(1, 2).reshape(*scores.shape, 5, 3)
        ours = (self._plain.kpts_decode(anchors, ours) * strides[:, None])[sure][..., :2]
        away = (ours - told[..., 5:][sure].reshape(-1, 5, 3)[..., :2]).norm(dim=2).mean(dim=1)
        side = told[..., 2:4][sure].clamp(min=1).prod(dim=1).sqrt()
        points = POINTS * (scores[sure] * away / side).sum() / total
        gains = self._plain.hyp
        return box * gains.box, points * gains.pose, score * gains.cls
