-- Rows in every table that came with schema 3.
INSERT INTO import
    VALUES (6, 'weekly', zeroblob(32), 16, 17, 'key', 18, 19);
INSERT INTO imported_upstream
    VALUES ('pypi', 'https://index.example/simple/', 20);
INSERT INTO imported_project
    VALUES ('pypi', 'flask', 'weekly', 21, 7, 22, '{}');
INSERT INTO imported_document
    VALUES ('policy', 'default', zeroblob(32), 23);
INSERT INTO attached
    VALUES (8, 'pypi', zeroblob(32), 'flask-1.tar.gz', x'7b7d', 'ours', 'ada', 24, NULL);
INSERT INTO detached
    VALUES ('acme', zeroblob(32));
UPDATE project SET imported = 1 WHERE id = 9;
