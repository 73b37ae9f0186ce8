"""Errors of the `pipeline` package that a user can cause.

PipelineError
├── ConfigError    a setting that does not exist or has a value it cannot have
├── SourceError    a camera, file, folder, image or stream that cannot be read
│   └── UnreachableError  a camera or stream that may be there later
├── SinkError      an output that cannot be written
├── DetectorError  a detector model or its training data that cannot be used
└── ServiceError   a service that cannot start, or cannot keep what it has to
"""


class PipelineError(Exception):
    """Base of what this package raises for the user to read: one line, what was wrong, what to do."""


class ConfigError(PipelineError):
    """A setting that does not exist, or has a value it cannot have."""


class SourceError(PipelineError):
    """A camera, file, folder, image or stream that cannot be opened or read."""


class UnreachableError(SourceError):
    """A camera or stream that cannot be reached now, and may be later."""


class SinkError(PipelineError):
    """An output (video, events, window) that cannot be written."""


class DetectorError(PipelineError):
    """A detector model, or the data to train one, that cannot be used."""


class ServiceError(PipelineError):
    """A service that cannot start, or whose file cannot be used."""
