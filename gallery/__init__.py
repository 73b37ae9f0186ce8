"""People and their face templates: a SQLite file is the truth, FAISS searches it.

Everything others need is here; `Gallery` is the way in. Importing this loads neither FAISS nor OpenCV.
"""

from gallery.errors import GalleryError
from gallery.gallery import Gallery
from gallery.names import check_name, check_new_name
from gallery.types import (
    Added,
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
    "Change",
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
    "check_name",
    "check_new_name",
]
