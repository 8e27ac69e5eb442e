-- Schema 4 of the ledger, as the inbond made it that brought it: never changed, and not made from the code of today.
PRAGMA application_id = 1768841838;
PRAGMA user_version = 4;
CREATE TABLE project (
    id INTEGER PRIMARY KEY,
    upstream TEXT NOT NULL,
    name TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    highest_serial INTEGER, imported INTEGER NOT NULL DEFAULT 0 CHECK (imported IN (0, 1)), page_sha256 BLOB CHECK (length(page_sha256) = 32), page_at INTEGER CHECK ((page_at IS NULL) = (page_sha256 IS NULL)),
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
CREATE TABLE decision (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('waiver', 'rejection', 'pin')),
    project TEXT NOT NULL,
    specifier TEXT NOT NULL DEFAULT '',
    sha256 BLOB CHECK (length(sha256) = 32),
    rule TEXT CHECK ((rule IS NULL) = (kind <> 'waiver')),
    until INTEGER CHECK ((until IS NULL) = (kind <> 'waiver')),
    publisher TEXT CHECK ((publisher IS NULL) = (kind <> 'pin')),
    repository_id TEXT,
    index_name TEXT,
    reason TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    revoked_at INTEGER,
    revoked_by TEXT CHECK ((revoked_by IS NULL) = (revoked_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX decision_in_force ON decision (id) WHERE revoked_at IS NULL;
CREATE INDEX decision_of_project ON decision (project) WHERE revoked_at IS NULL;
CREATE TABLE repository (
    upstream TEXT NOT NULL,
    project TEXT NOT NULL,
    repository TEXT NOT NULL,
    repository_id TEXT NOT NULL,
    owner_id TEXT,
    since INTEGER NOT NULL,
    PRIMARY KEY (upstream, project, repository, repository_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE standing (version INTEGER NOT NULL) STRICT;
CREATE TRIGGER decision_insert AFTER insert ON decision BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER decision_update AFTER update ON decision BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER decision_delete AFTER delete ON decision BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER repository_insert AFTER insert ON repository BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER repository_update AFTER update ON repository BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER repository_delete AFTER delete ON repository BEGIN UPDATE standing SET version = version + 1; END;
CREATE TABLE asked (
    key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 16),
    client TEXT NOT NULL,
    index_name TEXT NOT NULL,
    upstream TEXT NOT NULL,
    project TEXT NOT NULL,
    filename TEXT NOT NULL,
    version TEXT,
    sha256 BLOB CHECK (length(sha256) = 32),
    decision TEXT NOT NULL,
    would TEXT NOT NULL,
    rule TEXT NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    metadata INTEGER NOT NULL CHECK (metadata IN (0, 1)),
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    count INTEGER NOT NULL
) STRICT;
CREATE INDEX asked_last ON asked (last_at);
CREATE INDEX asked_of_project ON asked (upstream, project);
CREATE TABLE occurrence (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    message TEXT NOT NULL,
    index_name TEXT,
    upstream TEXT,
    project TEXT,
    filename TEXT,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX occurrence_at ON occurrence (at);
CREATE TABLE webhook (
    name TEXT NOT NULL PRIMARY KEY,
    taken_up INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE delivery (
    webhook TEXT NOT NULL REFERENCES webhook (name),
    occurrence INTEGER NOT NULL REFERENCES occurrence (number),
    since INTEGER NOT NULL,
    due INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (webhook, occurrence)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_due ON delivery (webhook, due);
CREATE TABLE import (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    manifest BLOB NOT NULL CHECK (length(manifest) = 32),
    created_at INTEGER NOT NULL,
    imported_at INTEGER NOT NULL,
    key TEXT NOT NULL,
    files INTEGER NOT NULL,
    size INTEGER NOT NULL
) STRICT;
CREATE TABLE imported_upstream (
    name TEXT NOT NULL PRIMARY KEY,
    url TEXT NOT NULL,
    as_of INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE imported_project (
    upstream TEXT NOT NULL,
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    as_of INTEGER NOT NULL,
    serial INTEGER,
    imported_at INTEGER NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (upstream, project, name)
) STRICT;
CREATE TABLE imported_document (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    as_of INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE attached (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    upstream TEXT NOT NULL,
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    filename TEXT NOT NULL,
    provenance BLOB NOT NULL,
    reason TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    bundle TEXT
) STRICT;
CREATE INDEX attached_to ON attached (upstream, sha256, number);
CREATE TABLE detached (
    upstream TEXT NOT NULL,
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    PRIMARY KEY (upstream, sha256)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER import_insert AFTER insert ON import BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER import_update AFTER update ON import BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER import_delete AFTER delete ON import BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER imported_upstream_insert AFTER insert ON imported_upstream BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER imported_upstream_update AFTER update ON imported_upstream BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER imported_upstream_delete AFTER delete ON imported_upstream BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER imported_project_insert AFTER insert ON imported_project BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER imported_project_update AFTER update ON imported_project BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER imported_project_delete AFTER delete ON imported_project BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER imported_document_insert AFTER insert ON imported_document BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER imported_document_update AFTER update ON imported_document BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER imported_document_delete AFTER delete ON imported_document BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER attached_insert AFTER insert ON attached BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER attached_update AFTER update ON attached BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER attached_delete AFTER delete ON attached BEGIN UPDATE standing SET version = version + 1; END;
INSERT INTO standing (version) VALUES (1);
