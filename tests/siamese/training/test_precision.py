"""In which precision to train: as the processor says what it has."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from siamese.training.precision import in_bfloat16, memory_format


@pytest.mark.parametrize(
    ("able", "expected"),
    [
        ({"avx2": True, "avx512_f": True, "avx512_bf16": False}, False),
        ({"avx2": True, "avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({}, False),
    ],
)
def test_bfloat16_is_for_processors_with_instructions_for_it(
    able: dict[str, bool], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert in_bfloat16("cpu") is expected
    assert (memory_format("cpu") is torch.channels_last) is expected


def test_a_graphics_card_that_would_emulate_it_trains_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert not in_bfloat16("cuda")


def test_the_operating_system_names_the_same_instructions() -> None:
    cpus = Path("/proc/cpuinfo")
    if not cpus.is_file() or "flags" not in (text := cpus.read_text()):
        pytest.skip("this system does not list a processor's flags in /proc/cpuinfo")
    assert in_bfloat16("cpu") == ("avx512_bf16" in text or "amx_bf16" in text)
