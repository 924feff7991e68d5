"""The ledger's tables, and the version of their layout."""

from __future__ import annotations

VERSION = 1
"""Kept in ``PRAGMA user_version``; a ledger with a higher one was made by a newer release."""

TABLES = """
CREATE TABLE config (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    place INTEGER,                       -- order in the current plan; NULL for jobs of earlier plans only
    name TEXT NOT NULL,
    home TEXT NOT NULL UNIQUE,           -- the folder that is reserved for the job's results
    spec TEXT NOT NULL,
    affinity TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'leased', 'done', 'failed')),
    released INTEGER NOT NULL DEFAULT 0, -- how often a server's fault sent it back
    counted_from INTEGER NOT NULL DEFAULT 0, -- attempts up to this number are from before a retry
    verdict TEXT CHECK (verdict IN ('passed', 'not_confirmed', 'refused', 'unchecked')),
    score REAL,
    folder TEXT,
    server TEXT,
    seconds REAL,
    finished REAL,
    error_code TEXT,
    error TEXT,
    result TEXT
);
CREATE UNIQUE INDEX current_names ON jobs (name) WHERE place IS NOT NULL;
CREATE INDEX next_jobs ON jobs (state, place);
CREATE INDEX next_alike ON jobs (state, affinity, place);
CREATE INDEX finished_jobs ON jobs (finished) WHERE finished IS NOT NULL;
CREATE INDEX states ON jobs (place, state, verdict);

CREATE TABLE attempts (
    job INTEGER NOT NULL REFERENCES jobs (id),
    number INTEGER NOT NULL,
    server TEXT NOT NULL,
    prompt_id TEXT,
    seed TEXT,                           -- seeds have 64 bits without a sign, SQLite's integers 63
    started REAL NOT NULL,
    seconds REAL,
    outcome TEXT CHECK (outcome IN ('passed', 'not_confirmed', 'unchecked', 'refused', 'failed', 'released')),
    score REAL,
    error_code TEXT,
    error TEXT,
    PRIMARY KEY (job, number)
) WITHOUT ROWID;
CREATE UNIQUE INDEX open_attempts ON attempts (job) WHERE outcome IS NULL;

CREATE TABLE hashes (
    path BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL
) WITHOUT ROWID;
"""
