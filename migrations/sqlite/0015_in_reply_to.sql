-- The Message-ID that a message answers, as its sender says. Mail from before has none.
ALTER TABLE messages ADD COLUMN in_reply_to TEXT;
