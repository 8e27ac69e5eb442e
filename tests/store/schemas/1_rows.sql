-- Rows in every table that came with schema 1.
INSERT INTO project (id, upstream, name, first_seen, highest_serial)
    VALUES (4, 'pypi', 'flask', 1, 7);
INSERT INTO project (id, upstream, name, first_seen)
    VALUES (9, 'acme', 'tool', 2);
INSERT INTO file
    VALUES (4, 'flask-1.tar.gz', 3, zeroblob(32), NULL);
INSERT INTO file
    VALUES (4, 'flask-2.tar.gz', 4, NULL, 5);
