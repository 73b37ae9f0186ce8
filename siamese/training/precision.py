"""In which precision a network is trained."""

from __future__ import annotations

import torch

_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")


def in_bfloat16(device: str) -> bool:
    """Whether passes in bfloat16 are faster than in float32 on a kind of device: `cpu` or `cuda`.

    Processors without instructions for it compute in it all the same, up to fifteen times as slowly
    (docs/experiments.md, 2026-11-26).
    """
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return any(able.get(name) is True for name in _INSTRUCTIONS)


def memory_format(device: str) -> torch.memory_format:
    """How images lie in memory: channel by channel where a kind of device trains in float32.

    Channels last is made for bfloat16. In float32 it gains less than a tenth, and torch 2.15 then writes
    outside its memory on processors with AVX2 alone where a layer has four channels.
    """
    return torch.channels_last if in_bfloat16(device) else torch.contiguous_format
