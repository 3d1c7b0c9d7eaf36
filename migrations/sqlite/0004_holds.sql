-- A human holds the leash: gates, decisions, the audit list, reviewer mail, and pauses of a domain or an account.

ALTER TABLE users ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE domains ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agents ADD COLUMN hitl_rules TEXT;
ALTER TABLE agents ADD COLUMN hitl_allow TEXT NOT NULL DEFAULT '[]';
ALTER TABLE agents ADD COLUMN hitl_reviewers TEXT NOT NULL DEFAULT '[]';
ALTER TABLE agents ADD COLUMN undo_seconds INTEGER NOT NULL DEFAULT 0;

ALTER TABLE outbound_messages ADD COLUMN content_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE outbound_messages ADD COLUMN original TEXT;
ALTER TABLE outbound_messages ADD COLUMN reviewed_at INTEGER;
ALTER TABLE outbound_messages ADD COLUMN reviewed_by TEXT;
ALTER TABLE outbound_messages ADD COLUMN rejection_reason TEXT;
ALTER TABLE outbound_messages ADD COLUMN notice_due_at INTEGER;
ALTER TABLE outbound_messages ADD COLUMN notified_at INTEGER;
ALTER TABLE outbound_recipients ADD COLUMN first_time INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbound_messages_expiry ON outbound_messages (approval_expires_at) WHERE status = 'pending_approval';
CREATE INDEX outbound_messages_notice ON outbound_messages (notice_due_at) WHERE notice_due_at IS NOT NULL;
CREATE INDEX outbound_messages_notified ON outbound_messages (user_id, notified_at) WHERE notified_at IS NOT NULL;

CREATE TABLE audit (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  agent_id TEXT NOT NULL,
  message_id TEXT NOT NULL,
  action TEXT NOT NULL,
  decided_by TEXT NOT NULL,
  how TEXT NOT NULL,
  ip TEXT,
  content_hash TEXT NOT NULL,
  detail TEXT,
  created_at INTEGER NOT NULL
);
CREATE INDEX audit_user ON audit (user_id, id);
CREATE INDEX audit_message ON audit (user_id, message_id, id);
-- Entries never change; they are deleted only with their account.
CREATE TRIGGER audit_append_only BEFORE UPDATE ON audit BEGIN
  SELECT RAISE(ABORT, 'the audit list is append-only');
END;
