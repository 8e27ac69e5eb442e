-- Rows in every table that came with schema 5, and a column.
INSERT INTO token
    VALUES ('t-1a2b3c4d', zeroblob(32), 'ci', 'reader', '["root"]', 'ada', 26, 27, 28, 'grace');
INSERT INTO session
    VALUES (zeroblob(32), 't-1a2b3c4d', 29, 30);
INSERT INTO token_use
    VALUES ('t-1a2b3c4d', 31, '192.0.2.1');
INSERT INTO act
    VALUES (11, x'cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd', 'token-created', 32, 'ada', 'command', 'root', 'flask', 't-1a2b3c4d', 'made', '{"role":"reader"}');
INSERT INTO traffic
    VALUES (33, 'root', 'file', 'hit', 34, 35);
UPDATE asked SET who = 'token:t-1a2b3c4d (ci)' WHERE count = 12;
