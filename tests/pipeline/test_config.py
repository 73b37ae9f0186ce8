"""Settings from defaults, files and assignments; what cannot be is refused in one line."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pipeline.config import Settings, load
from pipeline.errors import ConfigError

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))


def write(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text)
    return path


def refused(file: Path | None = None, *assignments: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(file, assignments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_a_file_the_defaults_hold() -> None:
    assert load() == Settings()


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    settings = load(write(tmp_path, '[det]\nsize = 320\nmodel = "my.onnx"\n[evidence]\ntarget_fpir = 0.01\n'))
    assert (settings.det.size, settings.det.model) == (320, Path("my.onnx"))
    assert settings.evidence.target_fpir == 0.01
    changed = {"det", "evidence"}
    assert settings.model_dump(exclude=changed) == Settings().model_dump(exclude=changed)
    assert settings.det.confidence == Settings().det.confidence


def test_an_assignment_wins_over_the_file_and_a_later_one_over_an_earlier(tmp_path: Path) -> None:
    file = write(tmp_path, "[det]\nsize = 320\nconfidence = 0.7\n")
    settings = load(file, ["det.size=960", "track.confirm = 4", "det.size=128"])
    assert (settings.det.size, settings.det.confidence, settings.track.confirm) == (128, 0.7, 4)


@pytest.mark.parametrize(
    ("assignment", "path", "expected"),
    [
        ("det.model=face.onnx", "det.model", Path("face.onnx")),
        ("det.model='a b.onnx'", "det.model", Path("a b.onnx")),
        ("det.model=models/a=b.onnx", "det.model", Path("models/a=b.onnx")),
        ("quality.max_turn=1", "quality.max_turn", 1.0),
        ("train.rate=1e-3", "train.rate", 0.001),
        ("train.optimizer=adam", "train.optimizer", "adam"),
        ("det.roi=[0, 0.25, 1, 1]", "det.roi", (0, 0.25, 1, 1)),
        ("det.model=face-p", "det.model", Path("face-p")),
        ("model.widths=[8, 16, 32, 64]", "model.widths", (8, 16, 32, 64)),
    ],
)
def test_an_assignment_is_read_as_toml_and_bare_words_as_text(
    assignment: str, path: str, expected: object
) -> None:
    section, key = path.split(".")
    assert getattr(getattr(load(None, [assignment]), section), key) == expected


@pytest.mark.parametrize(
    ("assignment", "suggestion"),
    [
        ("det.sise=320", "there is no setting det.sise; did you mean det.size?"),
        ("dett.size=320", "there is no setting dett; did you mean det?"),
        ("evidence.target_fpr=0.1", "did you mean evidence.target_fpir?"),
        ("det.qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq=1", "there are: det.model, det.size, "),
        ("det.size.deep=1", "there is no setting det.size.deep"),
    ],
)
def test_a_setting_that_does_not_exist_is_refused_with_the_nearest_one(
    assignment: str, suggestion: str
) -> None:
    assert suggestion in refused(None, assignment)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("det.size=100", "det.size: input should be a multiple of 32"),
        ("det.size=large", "det.size: input should be a valid integer"),
        ("det.confidence=1.5", "det.confidence: input should be less than 1"),
        ("track.confirm=0", "track.confirm: input should be greater than or equal to 1"),
        ("train.optimizer=sgd", "train.optimizer: input should be 'adamw', 'adam' or 'muon'"),
        ("model.widths=[8, 16]", "model.widths.2: field required"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(assignment: str, message: str) -> None:
    assert message in refused(None, assignment)


@pytest.mark.parametrize("assignment", ["size=320", "det.size", "det.=320", ".size=320", "", "=", "det"])
def test_an_assignment_of_another_form_is_refused_with_an_example(assignment: str) -> None:
    assert "write it as section.key=value, for example det.size=320" in refused(None, assignment)


def test_an_unknown_key_in_a_file_is_named_with_the_file(tmp_path: Path) -> None:
    message = refused(write(tmp_path, "[track]\npatients = 2\n"))
    assert "settings.toml" in message
    assert "did you mean track.patience?" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[det\n", "not valid TOML"),
        ("det = 3\n", "det: input should be a valid"),
        ("size = 3\n", "no setting size"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message in refused(write(tmp_path, text))


def test_an_assignment_into_what_is_no_section_is_refused(tmp_path: Path) -> None:
    assert "det is not a section" in refused(write(tmp_path, "det = 3\n"), "det.size=320")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert "none.toml: cannot be read (No such file" in refused(tmp_path / "none.toml")
    assert "cannot be read" in refused(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "not valid TOML" in refused(binary)


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.det.size = 320  # type: ignore[misc]


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_every_file_in_configs_loads_and_holds_only_what_differs(file: Path) -> None:
    settings, usual = load(file).model_dump(), Settings().model_dump()
    for section, values in tomllib.loads(file.read_text()).items():
        for key in values:
            assert settings[section][key] != usual[section][key], f"{section}.{key} is the default"


@pytest.mark.parametrize(
    "roi", ["[0.5, 0, 0.2, 1]", "[0, 0, 1, 1.2]", "[-0.1, 0, 1, 1]", "[0, 0.3, 1, 0.3]", "[nan, 0, 1, 1]"]
)
def test_a_region_without_an_area_or_beyond_the_picture_is_refused(roi: str) -> None:
    said = refused(None, f"det.roi={roi}")
    assert said.startswith("settings: det.roi: give x1 y1 x2 y2 as shares of the picture")


def test_a_region_takes_four_numbers() -> None:
    assert "det.roi" in refused(None, "det.roi=[0, 0, 1]")
    assert "det.roi" in refused(None, "det.roi=left")


def test_the_cameras_region_means_nothing_in_photographs() -> None:
    settings = load(None, ["det.roi=[0, 0, 0.5, 0.5]", "det.tiles=2", "track.confirm=4"])
    assert settings.of_photographs() == load(None, ["det.tiles=2", "track.confirm=4"])


def test_a_byte_order_mark_is_no_part_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbf[det]\nsize = 320\n")
    assert load(tmp_path / "a.toml").det.size == 320


def test_more_threads_than_any_machine_has_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"runtime\.threads"):
        load(None, ["runtime.threads=100000"])


@pytest.mark.parametrize("what", ["keep.days", "keep.people", "keep.megabytes"])
def test_what_is_kept_for_ever_is_never_deleted(what: str) -> None:
    section, _, name = what.partition(".")
    assert getattr(getattr(load(None, [f"{what}=inf"]), section), name) is None


@pytest.mark.parametrize("what", ["keep.days=800000", "keep.people=1e9"])
def test_more_days_than_the_calendar_has_are_refused(what: str) -> None:
    with pytest.raises(ConfigError, match="36500"):
        load(None, [what])
