-- Outbound mail: messages, their recipients (which form the queue), and the limits on sending.

ALTER TABLE messages ADD COLUMN auto_submitted TEXT;
ALTER TABLE messages ADD COLUMN list_id TEXT;
ALTER TABLE messages ADD COLUMN precedence TEXT;
CREATE INDEX messages_from ON messages (agent_id, from_address);

CREATE TABLE outbound_messages (
  id TEXT PRIMARY KEY,
  agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL,
  type TEXT NOT NULL,
  status TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  email_message_id TEXT NOT NULL,
  idempotency_key TEXT,
  subject TEXT NOT NULL,
  snippet TEXT NOT NULL,
  content TEXT NOT NULL,
  hold TEXT,
  loop_key TEXT,
  approval_expires_at INTEGER,
  not_before INTEGER NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX outbound_messages_user ON outbound_messages (user_id, id);
CREATE INDEX outbound_messages_user_status ON outbound_messages (user_id, status, id);
CREATE INDEX outbound_messages_agent ON outbound_messages (agent_id, id);
CREATE INDEX outbound_messages_pace ON outbound_messages (agent_id, not_before);
CREATE INDEX outbound_messages_conversation ON outbound_messages (agent_id, conversation_id, created_at);
CREATE INDEX outbound_messages_email_message_id ON outbound_messages (agent_id, email_message_id);
CREATE UNIQUE INDEX outbound_messages_idempotency ON outbound_messages (user_id, idempotency_key)
  WHERE idempotency_key IS NOT NULL;
CREATE INDEX outbound_messages_held ON outbound_messages (agent_id, loop_key) WHERE status = 'pending_approval';
CREATE INDEX outbound_messages_age ON outbound_messages (created_at);

CREATE TABLE outbound_raw (
  message_id TEXT PRIMARY KEY REFERENCES outbound_messages (id) ON DELETE CASCADE,
  bytes BLOB NOT NULL
);

CREATE TABLE outbound_recipients (
  message_id TEXT NOT NULL REFERENCES outbound_messages (id) ON DELETE CASCADE,
  n INTEGER NOT NULL,
  agent_id TEXT NOT NULL,
  address TEXT NOT NULL,
  kind TEXT NOT NULL,
  status TEXT NOT NULL,
  queue TEXT NOT NULL,
  lane TEXT NOT NULL,
  method TEXT,
  attempts INTEGER NOT NULL,
  next_attempt_at INTEGER NOT NULL,
  lease_token TEXT,
  smtp_reply TEXT,
  error TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (message_id, n)
);
CREATE INDEX outbound_recipients_due ON outbound_recipients (lane, next_attempt_at) WHERE queue = 'ready';
CREATE INDEX outbound_recipients_open ON outbound_recipients (agent_id) WHERE queue <> 'done';
CREATE INDEX outbound_recipients_lease ON outbound_recipients (lease_token) WHERE lease_token IS NOT NULL;
CREATE INDEX outbound_recipients_pair ON outbound_recipients (agent_id, address, created_at);

CREATE TABLE correspondents (
  agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  address TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (agent_id, address)
);

CREATE TABLE send_counts (
  key TEXT NOT NULL,
  bucket INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (key, bucket)
);

CREATE TABLE loop_releases (
  agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  loop_key TEXT NOT NULL,
  released_at INTEGER NOT NULL,
  PRIMARY KEY (agent_id, loop_key)
);

CREATE TABLE suppressions (
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  address TEXT NOT NULL,
  reason TEXT NOT NULL,
  detail TEXT NOT NULL,
  message_id TEXT,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, address)
);
CREATE INDEX suppressions_list ON suppressions (user_id, created_at, address);
