"""Events decided again from the tape: what follows in the others from what was said of some."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from pipeline.api import Identity, Past, State
from pipeline.errors import SourceError
from pipeline.service.names import Names
from pipeline.service.portraits import Key
from pipeline.service.said import Change, Said, find_event
from pipeline.service.store import Store


class Again:
    """Asks the tape, by the gallery as it is at that moment. Any thread may use it."""

    def __init__(self, store: Store, past: Callable[[], Past], names: Names) -> None:
        """
        Args:
            past: gives the service's tape.
        """
        self._store, self._past, self._names = store, past, names

    def followed(
        self, before: Mapping[Key, Identity], after: Mapping[Key, Identity], said: Collection[str]
    ) -> list[Change]:
        """What deciding again changed in other events. What somebody said of one stands."""
        found = []
        for key, verdict in after.items():
            event = f"{key[0]}-{key[1]}"
            if event in said:
                continue
            then, then_not = self.said(before.get(key)), self.said(verdict)
            if then is None or then_not is None or then.same(then_not):
                continue
            row = find_event(self._store, event)
            if row is not None and not row["corrected"] and not Said.of(row).same(then_not):
                found.append(Change(event, False, Said.of(row), then_not))
        return found

    def named_now(
        self, faces: Mapping[Key, Any], name: str, person: str, said: Collection[str]
    ) -> list[Change]:
        """The other events that a person is named in, now that looks at them are enrolled."""
        keys = list(faces)
        like = self._past().looks_like([faces[key][None] for key in keys])
        near = [
            key for key, each in zip(keys, like, strict=True)
            if each is not None and each.name == name and each.probability >= 0.5
        ]  # fmt: skip
        found = []
        for key, verdict in self.decided(by_run(near)).items():
            row = find_event(self._store, f"{key[0]}-{key[1]}")
            if row is None or row["id"] in said or row["corrected"] or verdict.name != name:
                continue
            becomes = Said(State.NAMED.value, person, verdict.confidence, verdict.why)
            if not Said.of(row).same(becomes):
                found.append(Change(row["id"], False, Said.of(row), becomes))
        return found

    def decided(self, tracks: Mapping[str, Collection[int]]) -> dict[Key, Identity]:
        """The verdicts of tracks, by run, as the gallery is now; none where nothing is taped."""
        try:
            return self._past().decide(tracks)
        except SourceError:
            return {}

    def faces(self, keys: Iterable[Key]) -> Mapping[Key, Any]:
        """The face of each track of which looks are taped."""
        try:
            return self._past().faces(by_run(keys))
        except SourceError:
            return {}

    def said(self, identity: Identity | None) -> Said | None:
        """A verdict as events keep it; None without one."""
        if identity is None:
            return None
        person = None if identity.name is None else self._names.id_of(identity.name)
        why = "" if identity.state is State.UNDECIDED else identity.why
        return Said(identity.state.value, person, float(identity.confidence), why)


def by_run(keys: Iterable[Key]) -> dict[str, set[int]]:
    """Tracks by the run that they are of."""
    found: dict[str, set[int]] = {}
    for run, track in keys:
        found.setdefault(run, set()).add(track)
    return found
