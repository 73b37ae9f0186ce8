"""What was found of one thing, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from gallery.errors import GalleryError
from pipeline.errors import PipelineError
from siamese.errors import SiameseError

State = Literal["ok", "note", "mend"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a check-up.

    `ok` is as it should be, `note` is worth knowing, `mend` keeps something that was asked for from working.
    """

    area: str
    state: State
    said: str
    todo: str = ""

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


def looked_at(area: str, look: Callable[[], Iterator[Finding]], todo: str = "") -> Iterator[Finding]:
    """What a look at something finds; an error that the user can mend is a finding, too.

    Args:
        todo: what to do where the error itself does not say it.
    """
    try:
        yield from look()
    except (PipelineError, SiameseError, GalleryError) as error:
        yield Finding(area, "mend", " ".join(str(error).split()), todo)
