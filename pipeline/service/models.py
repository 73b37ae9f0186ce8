"""The service begins with a model: what another one made is told from what this one did.

After `recog gallery migrate` the gallery is of another model, and so the looks on the tape are of no use any
more: they are erased, and the tape goes on with this one.
"""

from __future__ import annotations

import logging

from pipeline.api import ERRORS, Past, Recog
from pipeline.service.store import Store

_log = logging.getLogger(__name__)
ANOTHER = "unknown"  # the model of what was kept before it was noted, and is not known to be of this one


def same_crops(model: str, ours: str) -> bool:
    """Whether crops kept with a model can be embedded with ours: both have faces aligned alike."""
    if model in ("", ANOTHER):  # kept in days of the same alignment: there has been one only
        return True
    return model.rpartition(", ")[2] == ours.rpartition(", ")[2]  # as in `reembed.plan`


def begin(recog: Recog, store: Store, past: Past) -> None:
    """To be called before anything is kept. Nothing is done with a model that does not fit the gallery.

    Raises:
        ServiceError: the file cannot be written.
    """
    try:
        if recog.present():
            recog.gallery().close()
        since = past.since()
    except ERRORS as error:  # whoever looks at the gallery next says so
        _log.debug("the gallery is not of this model, or cannot be read: %s", error)
        return
    with store.writing() as connection:
        for table in ("portraits", "decisions"):
            # All that was kept since the tape began was made by the model that the tape is of.
            connection.execute(
                f"UPDATE {table} SET model = CASE WHEN substr(at, 1, 19) >= substr(?, 1, 19) THEN ? "  # noqa: S608
                "ELSE ? END WHERE model = ''",
                (since, recog.model, ANOTHER),
            )
    try:
        if past.begin_again():
            _log.warning("the looks on the tape were made with another model, so they were erased")
    except ERRORS as error:
        _log.error("the tape cannot be used: %s", error)
