"""Errors of the `gallery` package that a user can cause."""


class GalleryError(Exception):
    """A gallery that cannot be opened, read, written or used with this model: one line, and what to do."""
