-- Accounts take turns in a lane, so each recipient names its account. Only waiting recipients need it.
ALTER TABLE outbound_recipients ADD COLUMN user_id TEXT NOT NULL DEFAULT '';
UPDATE outbound_recipients
  SET user_id = (SELECT m.user_id FROM outbound_messages m WHERE m.id = outbound_recipients.message_id)
  WHERE queue <> 'done';
CREATE INDEX outbound_recipients_turns ON outbound_recipients (lane, user_id, next_attempt_at) WHERE queue = 'ready';
