"""The events of several sources, posted to one address."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from pipeline.outputs.events import Events
from pipeline.outputs.webhook import Webhook
from pipeline.types import Result


class Posting:
    """Posts to one address what is seen in any source. Any thread may use it; `close` it at the end."""

    def __init__(
        self,
        url: str | None,
        report: Callable[[str], None] = lambda line: None,
        linger: float = 1.0,
    ) -> None:
        """
        Args:
            url, report: as for `Webhook`.
            linger: seconds that `close` waits at most for what is not delivered yet.

        Raises:
            SinkError: the address is no web address.
        """
        self._webhook = Webhook(url, report, linger=linger)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many events were `delivered`, `dropped` and `rejected`, as `Webhook` counts them."""
        made = self._webhook
        return {"delivered": made.delivered, "dropped": made.dropped, "rejected": made.rejected}

    def source(self) -> PostedSource:
        """One more run of a source."""
        return PostedSource(self._webhook)

    def close(self) -> str | None:
        """Deliver what waits. May be called again.

        Returns:
            what was lost, in one line, if anything was.
        """
        return self._webhook.close()


class PostedSource:
    """One run of a source: give `take` every result in order, and `close` it at the end."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook
        self._events = Events(run=secrets.token_hex(6))

    def take(self, result: Result) -> None:
        """Post what is new. Returns at once."""
        self._webhook.send(self._events.update(result))

    def close(self) -> None:
        """Post who left with the source."""
        self._webhook.send(self._events.finish())
