"""What Prometheus is told: counts, times and states, by source and kind; never who somebody is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline.api import Result

CONTENT_TYPE = CONTENT_TYPE_LATEST
_STAGES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_DELAYS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)
STATES = ("starting", "running", "paused", "lost", "ended", "failed")


class _Counts(Collector):
    """Counts that somebody else keeps, by result."""

    def __init__(self, name: str, help_text: str, read: Callable[[], Mapping[str, int]]) -> None:
        self._name, self._help, self._read = name, help_text, read

    def collect(self) -> Iterator[Metric]:
        told = CounterMetricFamily(self._name, self._help, labels=["result"])
        for result, count in self._read().items():
            told.add_metric([result], count)
        yield told


class _Count(Collector):
    """A count that somebody else keeps."""

    def __init__(self, name: str, help_text: str, read: Callable[[], int]) -> None:
        self._name, self._help, self._read = name, help_text, read

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(self._name, self._help, value=self._read())


class Metrics:
    """The metrics of one service, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = made = CollectorRegistry()
        by_source = ["source"]
        self._frames = Counter("recog_frames", "Frames that were looked at.", by_source, registry=made)
        self._dropped = Counter(
            "recog_frames_dropped", "Frames of live sources that came too fast.", by_source, registry=made
        )
        self._detections = Counter("recog_detections", "Faces that were found.", by_source, registry=made)
        self._looks = Counter("recog_looks", "Embeddings that were made.", by_source, registry=made)
        self._verdicts = Counter(
            "recog_verdicts", "Verdicts that tracks came to, by kind.", ["source", "kind"], registry=made
        )
        self._reconnects = Counter(
            "recog_reconnects", "How often a lost source came back.", by_source, registry=made
        )
        self._stages = Histogram(
            "recog_stage_seconds",
            "Time spent on a frame, by stage.",
            ["stage"],
            buckets=_STAGES,
            registry=made,
        )
        self._delay = Histogram(
            "recog_delay_seconds",
            "From the capture of a live frame to its result.",
            by_source,
            buckets=_DELAYS,
            registry=made,
        )
        self._states = Gauge(
            "recog_source_state", "1 for the state that a source is in.", ["source", "state"], registry=made
        )
        self._gauges: list[Gauge] = []

    def watch(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        """Tell a number that is read when Prometheus asks."""
        gauge = Gauge(name, help_text, registry=self._registry)
        gauge.set_function(read)
        self._gauges.append(gauge)

    def count(self, name: str, help_text: str, read: Callable[[], Mapping[str, int]]) -> None:
        """Tell counts by their result that are read when Prometheus asks."""
        self._registry.register(_Counts(name, help_text, read))

    def total(self, name: str, help_text: str, read: Callable[[], int]) -> None:
        """Tell a count that is read when Prometheus asks; `_total` is added to its name."""
        self._registry.register(_Count(name, help_text, read))

    def frame(self, source: str, result: Result, delay: float | None) -> None:
        """Count a result.

        Args:
            delay: seconds since the frame was taken; None for films.
        """
        self._frames.labels(source).inc()
        if found := sum(face.found for face in result.faces):
            self._detections.labels(source).inc(found)
        if result.looks:
            self._looks.labels(source).inc(len(result.looks))
        for stage, seconds in result.seconds.items():
            self._stages.labels(stage).observe(seconds)
        if delay is not None:
            self._delay.labels(source).observe(delay)

    def dropped(self, source: str, frames: int) -> None:
        """Count frames that were not looked at."""
        self._dropped.labels(source).inc(frames)

    def verdict(self, source: str, kind: str) -> None:
        """Count that a track came to be `named` or `unknown`."""
        self._verdicts.labels(source, kind).inc()

    def reconnected(self, source: str) -> None:
        """Count that a lost source came back."""
        self._reconnects.labels(source).inc()

    def state(self, source: str, state: str) -> None:
        """Say in which of `STATES` a source is."""
        for each in STATES:
            self._states.labels(source, each).set(each == state)

    def forget(self, source: str) -> None:
        """A source is gone: nothing is told of it any more."""
        for metric in (
            self._frames,
            self._dropped,
            self._detections,
            self._looks,
            self._reconnects,
            self._delay,
        ):
            metric.remove_by_labels({"source": source})
        self._verdicts.remove_by_labels({"source": source})
        self._states.remove_by_labels({"source": source})

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)
