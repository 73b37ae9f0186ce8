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
    wanted TEXT NOT NULL,          -- running, paused, ended: what is resumed after a restart
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

PEOPLE = """
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL,          -- SHA-256; the token itself is kept nowhere
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    made TEXT NOT NULL,
    used TEXT
);
CREATE TABLE sessions (            -- of browsers
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    token TEXT REFERENCES tokens (id) ON DELETE CASCADE,  -- that opened it; NULL for the one-time key
    made TEXT NOT NULL,
    ends TEXT NOT NULL
);
CREATE TABLE audit (               -- who changed what: ids, never names of people
    id TEXT PRIMARY KEY,
    at TEXT NOT NULL,
    caller TEXT NOT NULL,          -- what the token is called
    kind TEXT NOT NULL,            -- session, token, command
    action TEXT NOT NULL,
    details TEXT NOT NULL          -- JSON
);
CREATE TABLE idempotency (         -- answers to creating calls, to be given again
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    at TEXT NOT NULL,
    request BLOB NOT NULL,         -- digest of what was asked
    status INTEGER,                -- NULL while it is being done
    headers TEXT,                  -- JSON
    body BLOB,
    PRIMARY KEY (caller, key)
);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,           -- queued, running, done, failed, cancelled
    made TEXT NOT NULL,
    ended TEXT,
    what TEXT NOT NULL,            -- in words, of the part that is being done
    done INTEGER NOT NULL,
    total INTEGER,
    given TEXT NOT NULL,           -- JSON: what it was asked
    result TEXT,                   -- JSON
    problem TEXT                   -- why it failed, in a line
);
CREATE TABLE merged (              -- events that went to another person with a merger
    change INTEGER NOT NULL,       -- of the gallery
    event TEXT NOT NULL,
    person TEXT NOT NULL,          -- whose it was
    PRIMARY KEY (change, event)
);
CREATE INDEX idempotency_by_time ON idempotency (at);
"""

REVIEW = """
CREATE TABLE portraits (           -- the best looks at a track, to enroll from
    run TEXT NOT NULL,
    track INTEGER NOT NULL,
    place INTEGER NOT NULL,        -- among those of the track
    at TEXT NOT NULL,              -- UTC: when it was kept
    seconds REAL NOT NULL,         -- on the source's clock
    quality REAL NOT NULL,
    flaw TEXT NOT NULL,            -- why nobody can be enrolled from it; empty if they can
    embedding BLOB NOT NULL,       -- little-endian float32
    jpeg BLOB NOT NULL,            -- of the aligned crop
    PRIMARY KEY (run, track, place)
);
CREATE INDEX portraits_by_time ON portraits (at);
CREATE TABLE clusters (event TEXT PRIMARY KEY, cluster TEXT NOT NULL);
CREATE TABLE decisions (           -- "nobody" and "ignore"
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    at TEXT NOT NULL,
    size INTEGER NOT NULL,         -- events it was said of
    faces BLOB NOT NULL,           -- embeddings, little-endian float32, one after the other
    picture BLOB                   -- JPEG
);
CREATE TABLE corrections (         -- "this is not ...", "this is ..."
    id TEXT PRIMARY KEY,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,            -- not, is
    person TEXT NOT NULL,          -- the gallery's id
    change INTEGER NOT NULL,       -- in the gallery's log; 0 where it changed nothing there
    marks TEXT NOT NULL,           -- JSON: what it added to the gallery, to take just that back
    withdrawn TEXT                 -- when
);
CREATE TABLE corrected (           -- what a correction made of which events
    correction TEXT NOT NULL REFERENCES corrections (id) ON DELETE CASCADE,
    event TEXT NOT NULL,
    said INTEGER NOT NULL,         -- it was said of this event; else it followed
    was TEXT NOT NULL,             -- JSON
    becomes TEXT NOT NULL,         -- JSON
    PRIMARY KEY (correction, event)
);
"""

LINEAGE = """
CREATE TABLE seen_changes (id INTEGER PRIMARY KEY, what TEXT NOT NULL);  -- the gallery's log, as JSON
CREATE TABLE seen_people (id TEXT PRIMARY KEY, added TEXT NOT NULL);     -- of the gallery
"""

# Which model made the embeddings. Of older rows nobody knows until the service has looked at its tape
# (`pipeline.service.models`). And sentences of before, which named whom a face was taken for.
MODELS = """
ALTER TABLE portraits ADD COLUMN model TEXT NOT NULL DEFAULT '';
ALTER TABLE decisions ADD COLUMN model TEXT NOT NULL DEFAULT '';
UPDATE events SET why = 'who comes nearest is another face here' WHERE why LIKE '% is another face here';
"""

# What is left to erase of people who were removed: rows stay until all of it is done.
REMOVALS = """
CREATE TABLE removals (person TEXT PRIMARY KEY, at TEXT NOT NULL);
CREATE TABLE removed_tracks (
    person TEXT NOT NULL REFERENCES removals (person) ON DELETE CASCADE,
    run TEXT NOT NULL,
    track INTEGER NOT NULL,
    PRIMARY KEY (person, run, track)
);
"""

SCRIPTS: tuple[str, ...] = (LIVE, PEOPLE, REVIEW, LINEAGE, MODELS, REMOVALS)
