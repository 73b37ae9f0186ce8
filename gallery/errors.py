"""Errors of the `gallery` package that a user can cause.

GalleryError
├── MissingError    there is none
├── UnusableError   the file: damaged, protected, on a full disk
│   ├── BusyError   locked by another program for longer than it is waited for
│   ├── FullError   the server's disk or memory is full
│   └── LostError   on a server that is not heard of any more
└── ChangedError    a change that was meant for another state of it
"""


class GalleryError(Exception):
    """A gallery that cannot be opened, read, written or used with this model: one line, and what to do."""


class UnusableError(GalleryError):
    """A gallery that cannot be read or written: damaged, write-protected, or the disk is full."""


class BusyError(UnusableError):
    """A gallery that another program has locked for longer than it is waited for."""


class FullError(UnusableError):
    """A server that has no room for what was asked of it, on its disk or in its memory."""


class ChangedError(GalleryError):
    """A change that was meant for what the gallery held a moment ago; it holds something else now."""


class MissingError(GalleryError):
    """There is no gallery at all where one was looked for."""


class LostError(UnusableError):
    """A server that is not heard of any more; asked again, it may be."""
