-- Rows in every table that came with schema 2.
INSERT INTO decision (number, id, kind, project, publisher, reason, made_by, made_at)
    VALUES (3, 'p1', 'pin', 'flask', 'github:pallets/flask', 'ours', 'ada', 6);
INSERT INTO decision (number, id, kind, project, sha256, reason, made_by, made_at, revoked_at, revoked_by)
    VALUES (5, 'r1', 'rejection', 'tool', zeroblob(32), 'no', 'ada', 7, 8, 'grace');
INSERT INTO repository
    VALUES ('pypi', 'flask', 'github:pallets/flask', '12', NULL, 9);
INSERT INTO asked (key, client, index_name, upstream, project, filename, version, sha256, decision, would, rule, code, message, metadata, first_at, last_at, count)
    VALUES (x'cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd', '192.0.2.1', 'root', 'pypi', 'flask', 'flask-1.tar.gz', '1', zeroblob(32), 'allow', 'allow', 'none', '', '', 0, 10, 11, 12);
INSERT INTO occurrence
    VALUES (2, 'k', 'denied', 13, 'told', 'root', 'pypi', 'flask', NULL, '{}');
INSERT INTO webhook
    VALUES ('acme', 2);
INSERT INTO delivery
    VALUES ('acme', 2, 14, 15, 1);
