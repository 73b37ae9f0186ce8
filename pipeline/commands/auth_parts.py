"""What `recog auth` and `recog auth test` do alike: showing what is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.authentication.parts import Prompt
    from pipeline.outputs.window import Window
    from pipeline.types import Frame


def prompter(window: Window) -> Callable[[Frame, Prompt], bool]:
    """Shows what is asked for: in the window, and in words on stderr."""
    from pipeline.enrolment.guide import preview

    said = [""]

    def show(frame: Frame, prompt: Prompt) -> bool:
        if prompt.words != said[0]:
            said[0] = prompt.words
            print(said[0], file=sys.stderr)
        window.show(preview(frame.image, prompt.words, prompt.quality, prompt.done, prompt.of, prompt.box))
        return not window.closed

    return show


def show_licence(model: object, licence: str | None) -> None:
    """Say what an anti-spoofing model may be used for."""
    if licence is not None:
        print(f"anti-spoofing model: {model}, licence: {licence}", file=sys.stderr)
