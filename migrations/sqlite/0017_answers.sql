-- The loop breaker counts messages that answer others; older ones do not count.
ALTER TABLE outbound_messages ADD COLUMN is_answer INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbound_recipients ADD COLUMN is_answer INTEGER NOT NULL DEFAULT 0;
DROP INDEX outbound_messages_conversation;
CREATE INDEX outbound_messages_conversation
  ON outbound_messages (agent_id, conversation_id, created_at, is_answer);
DROP INDEX outbound_recipients_pair;
CREATE INDEX outbound_recipients_pair ON outbound_recipients (agent_id, address, created_at, is_answer);
-- Whether an address has written since.
DROP INDEX messages_from;
CREATE INDEX messages_from ON messages (agent_id, from_address, created_at);
-- An account's held messages, by the soonest expiry.
CREATE INDEX outbound_messages_pending ON outbound_messages (user_id, approval_expires_at, id)
  WHERE status = 'pending_approval';
