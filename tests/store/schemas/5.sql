-- Schema 5 of the ledger, as the inbond made it that brought it: never changed, and not made from the code of today.
PRAGMA application_id = 1768841838;
PRAGMA user_version = 5;
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
, who TEXT NOT NULL DEFAULT '') STRICT;
CREATE INDEX asked_last ON asked (last_at);
CREATE INDEX asked_first ON asked (first_at);
CREATE INDEX asked_stopped ON asked (last_at) WHERE decision <> 'allow' OR would <> 'allow';
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
CREATE TABLE token (
    id TEXT NOT NULL PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('reader', 'operator', 'admin')),
    indexes TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    revoked_by TEXT CHECK ((revoked_by IS NULL) = (revoked_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE TABLE session (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    token TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_until ON session (until);
CREATE TRIGGER token_insert AFTER insert ON token BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER token_update AFTER update ON token BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER token_delete AFTER delete ON token BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER session_insert AFTER insert ON session BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER session_update AFTER update ON session BEGIN UPDATE standing SET version = version + 1; END;
CREATE TRIGGER session_delete AFTER delete ON session BEGIN UPDATE standing SET version = version + 1; END;
CREATE TABLE token_use (
    token TEXT NOT NULL PRIMARY KEY,
    last_at INTEGER NOT NULL,
    client TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE act (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    key BLOB NOT NULL UNIQUE CHECK (length(key) = 16),
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    client TEXT NOT NULL,
    index_name TEXT,
    project TEXT,
    target TEXT NOT NULL,
    message TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX act_at ON act (at);
CREATE TABLE act_kept (since INTEGER NOT NULL) STRICT;
CREATE TRIGGER act_once BEFORE INSERT ON act WHEN EXISTS (
    SELECT 1 FROM act WHERE key = NEW.key OR number = NEW.number
) BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER act_kept_once BEFORE INSERT ON act_kept WHEN EXISTS (SELECT 1 FROM act_kept)
BEGIN SELECT RAISE(ABORT, 'it is one row'); END;
CREATE TRIGGER act_unchanged BEFORE UPDATE ON act BEGIN SELECT RAISE(ABORT, 'acts are not changed'); END;
CREATE TRIGGER act_remains BEFORE DELETE ON act WHEN OLD.at >= (SELECT since FROM act_kept)
BEGIN SELECT RAISE(ABORT, 'acts are kept'); END;
CREATE TRIGGER act_kept_forward BEFORE UPDATE ON act_kept WHEN NEW.since < OLD.since
BEGIN SELECT RAISE(ABORT, 'what is kept moves forward alone'); END;
CREATE TRIGGER act_kept_stays BEFORE DELETE ON act_kept BEGIN SELECT RAISE(ABORT, 'it stays'); END;
CREATE TABLE traffic (
    hour INTEGER NOT NULL,
    index_name TEXT NOT NULL,
    kind TEXT NOT NULL,
    outcome TEXT NOT NULL,
    count INTEGER NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (hour, index_name, kind, outcome)
) STRICT, WITHOUT ROWID;
INSERT INTO standing (version) VALUES (1);
INSERT INTO act_kept (since) VALUES (-9223372036854775808);
