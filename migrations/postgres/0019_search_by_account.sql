-- Each word in the index begins with the last eight characters of its account's id, so that a search reads the words of
-- one account, however much mail the others have.
DROP INDEX message_search_document;
UPDATE message_search SET document = array_to_tsvector(
    ARRAY(SELECT right(messages.user_id, 8) || word FROM unnest(tsvector_to_array(document)) AS word)
  )
  FROM messages WHERE messages.id = message_id;
CREATE INDEX message_search_document ON message_search USING gin (document);
