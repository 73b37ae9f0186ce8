"""The tables of the service, as scripts that each bring the file one version further.

A script that a release has shipped is never changed again: what comes later is another script.
"""

from __future__ import annotations

LIVE = """
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);  -- JSON
CREATE TABLE sources (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    url TEXT NOT NULL,             -- with its login: never returned, never logged
    trusted INTEGER NOT NULL,      -- given on the command line, so not held to folders and hosts
    paused INTEGER NOT NULL,
    added TEXT NOT NULL,
    version INTEGER NOT NULL
);
CREATE TABLE events (              -- one visit of a track
    id TEXT PRIMARY KEY,           -- run-track
    source TEXT NOT NULL,          -- its id; the event outlives the source
    run TEXT NOT NULL,             -- of the tape
    track INTEGER NOT NULL,        -- of that run
    at TEXT NOT NULL,              -- UTC: taken, or read
    until TEXT NOT NULL,           -- last seen
    seconds REAL NOT NULL,         -- on the source's clock
    present INTEGER NOT NULL,      -- still in view
    state TEXT NOT NULL,           -- named, unknown, undecided
    name TEXT,
    person TEXT,                   -- the gallery's id
    confidence REAL NOT NULL,
    why TEXT NOT NULL,
    looks INTEGER NOT NULL,
    box TEXT NOT NULL,             -- JSON: x1 y1 x2 y2, pixels
    thumbnail BLOB,                -- JPEG
    corrected INTEGER NOT NULL DEFAULT 0,
    ignored INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX events_by_time ON events (at DESC, id DESC);
CREATE INDEX events_by_person ON events (person, at DESC, id DESC);
CREATE INDEX events_by_source ON events (source, at DESC, id DESC);
CREATE INDEX events_by_track ON events (run, track);
"""

SCRIPTS: tuple[str, ...] = (LIVE,)
