-- Each word in the index begins with the last eight characters of its account's id, so that a search reads the words of
-- one account, however much mail the others have. The words of existing mail are taken from the old index.
CREATE VIRTUAL TABLE message_words USING fts5vocab (message_search, instance);
CREATE VIRTUAL TABLE message_search_by_account USING fts5 (
  document, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);
INSERT INTO message_search_by_account (rowid, document)
  SELECT n, group_concat(substr(user_id, -8) || term, ' ')
  FROM message_words JOIN messages ON n = doc
  GROUP BY doc;
DROP TABLE message_words;
DROP TRIGGER message_search_delete;
DROP TABLE message_search;
ALTER TABLE message_search_by_account RENAME TO message_search;
CREATE TRIGGER message_search_delete AFTER DELETE ON messages BEGIN
  DELETE FROM message_search WHERE rowid = old.n;
END;
