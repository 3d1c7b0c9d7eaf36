-- The Message-ID that a message replies to, as its sender states it. Older mail has none.
ALTER TABLE messages ADD COLUMN in_reply_to TEXT;
