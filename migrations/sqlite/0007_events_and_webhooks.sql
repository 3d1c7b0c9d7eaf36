-- The event log gets a cursor in commit order, accounts get their own webhooks, and endpoints a health state.

CREATE TABLE events_in_order (
  -- Follows commit order, because there is one writer. Never reused after a deletion.
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  -- The writing transaction on Postgres; unused here.
  xid INTEGER NOT NULL,
  id TEXT NOT NULL UNIQUE,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  agent_id TEXT,
  type TEXT NOT NULL,
  data TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
INSERT INTO events_in_order (xid, id, user_id, agent_id, type, data, created_at)
  SELECT 0, id, user_id, agent_id, type, data, created_at FROM events ORDER BY id;
DROP TABLE events;
ALTER TABLE events_in_order RENAME TO events;
CREATE INDEX events_user ON events (user_id, seq);
CREATE INDEX events_agent ON events (agent_id, seq);
CREATE INDEX events_age ON events (created_at);

CREATE TABLE webhooks (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  url TEXT NOT NULL,
  events TEXT NOT NULL,
  agents TEXT NOT NULL,
  description TEXT NOT NULL,
  failing_since INTEGER,
  last_failed_at INTEGER,
  disabled_at INTEGER,
  disabled_reason TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);
CREATE INDEX webhooks_user ON webhooks (user_id, id);

ALTER TABLE agents ADD COLUMN webhook_failing_since INTEGER;
ALTER TABLE agents ADD COLUMN webhook_last_failed_at INTEGER;
ALTER TABLE agents ADD COLUMN webhook_disabled_at INTEGER;
ALTER TABLE agents ADD COLUMN webhook_disabled_reason TEXT;

-- Deliveries name their account and event; those to account webhooks carry the event, not a stored message.
-- Attempts are moved first: dropping the table they refer to would delete them.
CREATE TEMPORARY TABLE kept_attempts AS SELECT * FROM delivery_attempts;
DROP TABLE delivery_attempts;
CREATE TABLE deliveries_of_accounts (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  agent_id TEXT,
  event_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  message_id TEXT REFERENCES messages (id) ON DELETE CASCADE,
  endpoint_id TEXT NOT NULL,
  status TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  next_attempt_at INTEGER NOT NULL,
  lease_token TEXT,
  last_status INTEGER,
  last_error TEXT,
  created_at INTEGER NOT NULL,
  finished_at INTEGER
);
INSERT INTO deliveries_of_accounts
  SELECT d.id, a.user_id, a.id, d.event_id, 'message.received', d.message_id, d.endpoint_id, d.status, d.attempts,
    d.next_attempt_at, d.lease_token, d.last_status, d.last_error, d.created_at, d.finished_at
  FROM deliveries d JOIN agents a ON a.id = d.endpoint_id;
DROP TABLE deliveries;
ALTER TABLE deliveries_of_accounts RENAME TO deliveries;
CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE status = 'pending';
CREATE INDEX deliveries_waiting ON deliveries (endpoint_id, next_attempt_at) WHERE status = 'pending';
CREATE INDEX deliveries_endpoint ON deliveries (endpoint_id, status, id);
CREATE INDEX deliveries_log ON deliveries (endpoint_id, id);
CREATE INDEX deliveries_user ON deliveries (user_id, id);
CREATE INDEX deliveries_open ON deliveries (user_id, id) WHERE status <> 'succeeded';
CREATE INDEX deliveries_paused ON deliveries (created_at) WHERE status = 'paused';
CREATE INDEX deliveries_agent ON deliveries (agent_id, id);
CREATE INDEX deliveries_event ON deliveries (event_id, endpoint_id, id);
CREATE INDEX deliveries_message ON deliveries (message_id);
CREATE INDEX deliveries_age ON deliveries (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE delivery_attempts (
  delivery_id TEXT NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  status INTEGER,
  error TEXT,
  answer TEXT,
  PRIMARY KEY (delivery_id, attempt)
);
INSERT INTO delivery_attempts SELECT * FROM kept_attempts WHERE delivery_id IN (SELECT id FROM deliveries);
DROP TABLE kept_attempts;
