"""Errors of the `siamese` package that a user can cause.

SiameseError
├── DataError    a data set that is missing, damaged or not what it claims to be
└── ModelError   a model file or checkpoint that cannot be used

Each carries one line: what was wrong, and what to do.
"""


class SiameseError(Exception):
    """Base of what this package raises for the user to read: one line, what was wrong, what to do."""


class DataError(SiameseError):
    """A data set that is missing, damaged or not what it claims to be."""


class ModelError(SiameseError):
    """A model file or checkpoint that is missing, damaged or does not fit."""
