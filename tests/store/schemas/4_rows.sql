-- What came with schema 4: no table, but two columns.
UPDATE project SET page_sha256 = zeroblob(32), page_at = 25 WHERE id = 9;
