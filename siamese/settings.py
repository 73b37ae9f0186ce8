"""Settings of the network and its training. Nothing heavy is imported here."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ModelSettings(BaseModel):
    """What the network looks like; saved in every checkpoint, and enough to build it again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backbone: Literal["residual", "koch"] = "residual"
    embedding: int = Field(128, ge=8, description="length of the embedding (residual; koch has 4096)")
    widths: tuple[int, int, int, int] = (32, 64, 128, 256)
    blocks: tuple[int, int, int, int] = (0, 1, 2, 2)
    activation: Literal["relu", "prelu"] = Field(
        "relu",
        description="relu runs a fifth faster, because onnxruntime makes it one with the convolution before "
        "it; it also follows each shortcut",
    )


class TrainSettings(BaseModel):
    """How the network is trained. The defaults are our recipe; `configs/koch.toml` is the original one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batches: Literal["people", "pairs"] = Field(
        "people",
        description="people: images of the same people twice over, every pair of the batch in the loss; "
        "pairs: drawn pairs, half of them of one person, as in the original",
    )
    batch: int = Field(128, ge=4, multiple_of=2, description="images in a batch (pairs: twice the pairs)")
    epochs: int = Field(30, ge=1, description="passes over the training images")
    optimizer: Literal["adamw", "adam", "muon"] = Field(
        "adamw", description="muon: kernels by Muon, everything else by AdamW"
    )
    rate: float = Field(2e-3, gt=0, description="learning rate (cosine: its peak)")
    schedule: Literal["cosine", "constant", "linear"] = "cosine"
    weight_decay: float = Field(5e-4, ge=0)
    averaging: float = Field(0.998, ge=0, lt=1, description="decay of the averaged weights; 0 for none")
    augment: Literal["none", "affine", "light", "moderate", "mixed", "strong", "camera"] = Field(
        "strong", description="camera: heads turned by warping, small, blurred, compressed and covered faces"
    )
    hard_share: float = Field(0.1, gt=0, le=1, description="share of the negatives, the hardest, that count")
    distill: float = Field(4.0, ge=0, description="weight of the teacher's embeddings in the loss")
    similarity: float = Field(20.0, ge=0, description="weight of the teacher's similarities within a batch")
    direct: bool = Field(
        False, description="the embedding itself is to be the teachers', turned onto its coordinates"
    )
    frozen: int = Field(0, ge=0, description="so many first layers (residual) stay as they begin")
    margin_weight: float = Field(
        0.0, ge=0, description="weight of naming the person among all who are learned from; 0: no such task"
    )
    margin: float = Field(
        0.2, ge=0, lt=1, description="by how much cosine the right person has to lead there"
    )
    threads: int = Field(0, ge=0, description="CPU threads; 0 for all")
    seed: int = 0
