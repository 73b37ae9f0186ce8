"""Settings: defaults, then a file, then `--set section.key=value`, then explicit flags.

Each part of the pipeline receives its own section. Nothing heavy is imported here.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipeline.errors import ConfigError
from siamese.frozen.settings import BackboneSettings
from siamese.settings import ModelSettings, TrainSettings

Region = tuple[float, float, float, float]
LONGEST_KEPT = 36_500.0  # days: calendars have no dates from long before


class Section(BaseModel):
    """A group of settings; a key that does not exist is an error, not a wish."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DetectSettings(Section):
    model: Path | None = Field(
        None, description="face-n, face-p, person, or a YOLO of faces or people; face-n if empty"
    )
    size: int = Field(480, ge=64, le=4096, multiple_of=32, description="long side of its input, pixels")
    confidence: float = Field(0.4, gt=0, lt=1, description="score from which a box is a face")
    weak: float = Field(0.15, gt=0, lt=1, description="score from which a box may continue a track")
    every: int | Literal["auto"] = Field(
        "auto",
        description="look for faces in every so many frames; auto: by time, see pipeline/tracking/cadence.py",
    )
    overlap: float = Field(0.5, gt=0, lt=1, description="IoU above which two boxes are one face")
    max_faces: int = Field(100, ge=1, description="most faces of a frame, the best")
    roi: Region | None = Field(
        None, description="x1 y1 x2 y2 of the part of a video to look in, as shares of its width and height"
    )
    cascade: bool = Field(
        True, description="a second network looks closely at unsure faces; of our own detectors only"
    )
    second_stage: Path | None = Field(None, description="that network; ours if empty")
    tiles: int = Field(
        1, ge=1, le=8, description="also searched in tiles x tiles pieces, for tiny faces; 1 for none"
    )
    # With a model that finds people:
    person_size: int = Field(
        480, ge=64, le=4096, multiple_of=32, description="long side of its input, pixels"
    )
    person_confidence: float = Field(0.4, gt=0, lt=1, description="score from which a box is a person")
    person_faces: Path | None = Field(
        None, description="detector of the faces inside people; face-n if empty"
    )

    @field_validator("roi")
    @classmethod
    def _has_an_area(cls, roi: Region | None) -> Region | None:
        if roi is None or (0 <= roi[0] < roi[2] <= 1 and 0 <= roi[1] < roi[3] <= 1):
            return roi
        raise ValueError("give x1 y1 x2 y2 as shares of the picture, 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1")

    @field_validator("every")
    @classmethod
    def _at_least_one(cls, every: int | str) -> int | str:
        if isinstance(every, int) and every < 1:
            raise ValueError("at least 1, or auto")
        return every


class EmbedSettings(Section):
    model: Path | None = Field(
        None, description="embedder that `recog models adopt` or `export` made; ours if empty"
    )


class TrackSettings(Section):
    overlap: float = Field(0.25, gt=0, lt=1, description="IoU from which a detection continues a track")
    confirm: int = Field(2, ge=1, description="sightings after which a track counts")
    patience: float = Field(1.0, gt=0, description="seconds a track waits for its face to come back")


class QualitySettings(Section):
    min_face: float = Field(26.0, gt=0, description="smallest side of a face that is looked at, pixels")
    # Half of LFW's faces have 12.5, 1 % below 6.8; shrunk to 28 pixels half have 5.3, to 20 3.7.
    min_sharpness: float = Field(3.0, ge=0, description="deviation of the crop's Laplacian; below is blurred")
    max_turn: float = Field(0.75, gt=0, description="how far a head may be turned; 0 is frontal, 1 profile")


class AttentionSettings(Section):
    interval: float = Field(0.1, ge=0, description="seconds between looks at a track that is not decided")
    recheck: float = Field(1.0, gt=0, description="seconds between looks at a track that is")
    budget: int = Field(8, ge=1, description="most faces embedded in one frame")


class EvidenceSettings(Section):
    target_fpir: float = Field(0.01, gt=0, lt=0.5, description="share of strangers who may be given a name")
    min_looks: int = Field(3, ge=1, description="looks before anything is decided")
    unknown_at: float = Field(
        0.95, gt=0.5, lt=1, description="probability from which a person counts as unknown"
    )
    keep: float = Field(0.5, ge=0.5, lt=0.95, description="probability below which a verdict is taken back")
    memory: int = Field(25, ge=1, description="looks a verdict rests on at most; older ones fade")


class EnrollSettings(Section):
    min_face: float = Field(44.0, gt=0, description="smallest side of a face worth enrolling, pixels")
    min_sharpness: float = Field(5.0, ge=0, description="deviation of the crop's Laplacian; below is blurred")


class RunSettings(Section):
    sources: tuple[str, ...] = Field((), description="what to run over where no --source is given")


class StreamSettings(Section):
    timeout: float = Field(10.0, gt=0, le=3600, description="seconds to connect, and to wait for a frame")
    patience: float | None = Field(
        None, ge=0, description="seconds to try to get a lost camera or stream back; for ever if empty or inf"
    )
    frozen: float = Field(30.0, gt=0, description="seconds of the very same picture after which it is lost")

    @field_validator("patience")
    @classmethod
    def _for_ever(cls, patience: float | None) -> float | None:
        return None if patience is not None and math.isinf(patience) else patience


class KeepSettings(Section):
    """How long what live sources write is kept; files of films are never touched."""

    days: float | None = Field(
        None,
        gt=0,
        le=LONGEST_KEPT,
        description="days after which events, snapshots and taped looks go; never if empty or inf",
    )
    megabytes: float | None = Field(
        None, gt=0, description="most of each that is kept, the oldest goes first; no limit if empty or inf"
    )
    rotate: float = Field(
        64.0, gt=0, description="megabytes from which an events file is put aside under a name with the time"
    )
    people: float | None = Field(
        None,
        gt=0,
        le=LONGEST_KEPT,
        description="days after their newest photo that somebody leaves the gallery; never if empty or inf",
    )

    @field_validator("days", "megabytes", "people", mode="before")
    @classmethod
    def _for_ever(cls, value: Any) -> Any:
        return None if isinstance(value, float) and math.isinf(value) and value > 0 else value


class BlurSettings(Section):
    """Whose faces are not to be seen in any picture that is shown or written."""

    who: tuple[str, ...] = Field(
        (), description="unknown, known, all, name:NAME or not:NAME; nobody if empty"
    )
    style: Literal["pixelated", "blurred", "filled"] = Field(
        "pixelated", description="how a face is covered; filled leaves nothing of it"
    )
    score: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="score from which what may be a face is covered; a small one from a twentieth of it",
    )
    size: int = Field(
        1280,
        ge=64,
        le=4096,
        multiple_of=32,
        description="long side, pixels, up to which a frame is looked at as large as it is for that",
    )
    linger: float = Field(
        0.5, ge=0, le=5, description="seconds for which a place stays covered after its face is lost"
    )
    margin: float = Field(0.32, ge=0, le=2, description="share of a face's box that is covered around it")

    @field_validator("who", mode="before")
    @classmethod
    def _may_be_one(cls, who: Any) -> Any:
        return (who,) if isinstance(who, str) and who else who or ()


class MqttSettings(Section):
    """Whom at home is told who was seen, and where: nobody, unless an address is given."""

    url: str = Field("", repr=False, description="mqtt://user@host or mqtts://user@host; nowhere if empty")
    password_file: Path | None = Field(
        None, description="file with the password; the variable RECOG_MQTT_PASSWORD if empty"
    )
    node: str = Field("", description="what this machine is called there; its host name if empty")
    topic: str = Field("recog", pattern=r"^[\w.-]+(/[\w.-]+)*$", description="what all topics begin with")
    discovery: str = Field(
        "homeassistant",
        pattern=r"^([\w.-]+(/[\w.-]+)*)?$",
        description="where Home Assistant looks for new devices; none are announced if empty",
    )
    images: bool = Field(False, description="also send a picture of the face that was decided last")


Provider = Literal[
    "auto",
    "cpu",
    "cuda",
    "tensorrt",
    "openvino",
    "openvino-gpu",
    "openvino-npu",
    "coreml",
    "directml",
    "migraphx",
]


class RuntimeSettings(Section):
    threads: int = Field(0, ge=0, le=1024, description="CPU threads of the models; 0 for all")
    provider: Provider = Field(
        "cpu",
        description="what the models run on, once checked; auto: the fastest whose results are the CPU's",
    )
    decoder: str = Field(
        "",
        description="hardware that decodes films: cuda, vaapi, qsv, videotoolbox, ...; the CPU if empty",
    )


class Settings(Section):
    """All settings of recog, by section."""

    det: DetectSettings = DetectSettings()
    emb: EmbedSettings = EmbedSettings()
    track: TrackSettings = TrackSettings()
    quality: QualitySettings = QualitySettings()
    attention: AttentionSettings = AttentionSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    enroll: EnrollSettings = EnrollSettings()
    run: RunSettings = RunSettings()
    stream: StreamSettings = StreamSettings()
    keep: KeepSettings = KeepSettings()
    blur: BlurSettings = BlurSettings()
    mqtt: MqttSettings = MqttSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    model: ModelSettings = ModelSettings()
    train: TrainSettings = TrainSettings()
    backbone: BackboneSettings = BackboneSettings()

    def covering(self, who: str | Sequence[str], style: str | None = None) -> Settings:
        """The same, with these people's faces covered. Raises ConfigError for a style that there is not."""
        blur = {"who": who} | ({} if style is None else {"style": style})
        try:
            return self.model_copy(
                update={"blur": BlurSettings.model_validate(self.blur.model_dump() | blur)}
            )
        except ValidationError as error:
            raise ConfigError(f"blur: {error.errors()[0]['msg'].lower()}") from error

    def of_photographs(self) -> Settings:
        """The same for pictures that are no view of the camera for which a region was chosen."""
        return self.model_copy(update={"det": self.det.model_copy(update={"roi": None})})


def load(file: Path | None = None, assignments: Sequence[str] = ()) -> Settings:
    """The effective settings.

    Args:
        file: TOML with only what differs from the defaults.
        assignments: `section.key=value`, values as in TOML; bare words are text.

    Raises:
        ConfigError: an unreadable file, an unknown key (with the nearest one that exists), a bad value.
    """
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = tomllib.loads(file.read_text("utf-8-sig"))  # some editors put a byte order mark first
        except OSError as error:
            raise ConfigError(f"{file}: cannot be read ({error.strerror})") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file}: not valid TOML ({error})") from error
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        section, dot, key = path.strip().partition(".")
        if not (equals and dot and section and key):
            raise ConfigError(f"--set {assignment}: write it as section.key=value, for example det.size=320")
        group = values.setdefault(section, {})
        if not isinstance(group, dict):
            raise ConfigError(f"--set {assignment}: {section} is not a section")
        group[key] = _value(text.strip())
    return from_values(values, str(file) if file is not None and not assignments else "settings")


def from_values(values: Mapping[str, Any], origin: str = "settings") -> Settings:
    """The settings that differ from the defaults by `values`, section by section.

    Args:
        origin: where the values are from, for the error.

    Raises:
        ConfigError: an unknown key (with the nearest one that exists), or a bad value.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{origin}: {_explain(error)}") from error


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _explain(error: ValidationError) -> str:
    """The first thing that is wrong, in one line."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    name = ".".join(path)
    if first["type"] != "extra_forbidden":
        return f"{name}: {first['msg'].lower().removeprefix('value error, ')}"
    known: list[str] = list(Settings.model_fields)
    if len(path) > 1:
        section = Settings.model_fields[path[0]].annotation
        assert isinstance(section, type)
        assert issubclass(section, BaseModel)
        known = [f"{path[0]}.{key}" for key in section.model_fields]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
    return f"there is no setting {name}; {hint}"
