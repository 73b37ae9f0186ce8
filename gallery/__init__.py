"""People and their face templates: a SQLite file is the truth, FAISS searches it.

Everything others need is here; `Gallery` is the way in. Importing this loads neither FAISS nor OpenCV.
"""

from gallery.errors import BusyError, ChangedError, GalleryError, UnusableError
from gallery.gallery import Gallery
from gallery.names import check_name, check_new_name
from gallery.types import (
    Added,
    Card,
    Change,
    Denial,
    Matches,
    Merged,
    NewTemplate,
    Person,
    Removed,
    Stats,
    StoredTemplate,
)

__all__ = [
    "Added",
    "BusyError",
    "Card",
    "Change",
    "ChangedError",
    "Denial",
    "Gallery",
    "GalleryError",
    "Matches",
    "Merged",
    "NewTemplate",
    "Person",
    "Removed",
    "Stats",
    "StoredTemplate",
    "UnusableError",
    "check_name",
    "check_new_name",
]
