-- Schema 1 of the ledger, as the inbond made it that brought it: never changed, and not made from the code of today.
PRAGMA application_id = 1768841838;
PRAGMA user_version = 1;
CREATE TABLE project (
    id INTEGER PRIMARY KEY,
    upstream TEXT NOT NULL,
    name TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    highest_serial INTEGER,
    UNIQUE (upstream, name)
) STRICT;
CREATE TABLE file (
    project INTEGER NOT NULL REFERENCES project (id),
    filename TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    first_sha256 BLOB CHECK (length(first_sha256) = 32),
    vanished_at INTEGER,
    PRIMARY KEY (project, filename)
) STRICT, WITHOUT ROWID;
