-- The first schema: accounts, domains, agents, inbound mail, events and webhook deliveries.

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  email TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL
);

CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  token_hash TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE sign_in_tokens (
  token_hash TEXT PRIMARY KEY,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);

CREATE TABLE signing_secrets (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  sealed BLOB NOT NULL,
  secret_prefix TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  last_signed_at INTEGER
);
CREATE INDEX signing_secrets_user ON signing_secrets (user_id, id);

CREATE TABLE domains (
  id TEXT PRIMARY KEY,
  user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
  domain TEXT NOT NULL,
  verification_token TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  verified_at INTEGER
);
-- Any account can claim a domain; only one claim can be proven.
CREATE UNIQUE INDEX domains_claim ON domains (user_id, domain);
CREATE UNIQUE INDEX domains_proven ON domains (domain) WHERE verified_at IS NOT NULL;

CREATE TABLE dkim_keys (
  id TEXT PRIMARY KEY,
  domain_id TEXT NOT NULL REFERENCES domains (id) ON DELETE CASCADE,
  selector TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  public_key TEXT NOT NULL,
  sealed_private_key BLOB NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX dkim_keys_selector ON dkim_keys (domain_id, selector);

CREATE TABLE agents (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  domain TEXT NOT NULL,
  name TEXT NOT NULL,
  webhook_url TEXT NOT NULL,
  mode TEXT NOT NULL,
  role INTEGER NOT NULL,
  paused INTEGER NOT NULL,
  hitl_enabled INTEGER NOT NULL,
  hitl_ttl_seconds INTEGER NOT NULL,
  hitl_expiration_action TEXT NOT NULL,
  hitl_notify_email INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX agents_user ON agents (user_id, created_at);
CREATE INDEX agents_domain ON agents (domain);

CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  scope TEXT NOT NULL,
  agent_id TEXT REFERENCES agents (id) ON DELETE CASCADE,
  key_hash TEXT NOT NULL UNIQUE,
  key_prefix TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  last_used_at INTEGER
);
CREATE INDEX api_keys_user ON api_keys (user_id, id);
CREATE INDEX api_keys_agent ON api_keys (agent_id);

CREATE TABLE raw_mail (
  sha256 TEXT PRIMARY KEY,
  bytes BLOB NOT NULL,
  content TEXT NOT NULL,
  created_at INTEGER NOT NULL
);

CREATE TABLE messages (
  n INTEGER PRIMARY KEY, -- a rowid that VACUUM keeps, because message_search points at it
  id TEXT NOT NULL UNIQUE,
  agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  user_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  direction TEXT NOT NULL,
  status TEXT NOT NULL,
  event_id TEXT NOT NULL,
  conversation_id TEXT NOT NULL,
  email_message_id TEXT,
  dedupe_key TEXT,
  envelope_from TEXT NOT NULL,
  recipient TEXT NOT NULL,
  from_address TEXT NOT NULL,
  from_mailboxes TEXT NOT NULL,
  to_mailboxes TEXT NOT NULL,
  cc_mailboxes TEXT NOT NULL,
  reply_to_mailboxes TEXT NOT NULL,
  subject TEXT NOT NULL,
  snippet TEXT NOT NULL,
  has_attachments INTEGER NOT NULL,
  entity_type TEXT NOT NULL,
  verified INTEGER NOT NULL,
  verified_domain TEXT,
  domain_check TEXT NOT NULL,
  authentication TEXT NOT NULL,
  raw_sha256 TEXT NOT NULL REFERENCES raw_mail (sha256),
  created_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX messages_seq ON messages (agent_id, seq);
CREATE INDEX messages_unread ON messages (agent_id, seq) WHERE status = 'unread';
CREATE UNIQUE INDEX messages_dedupe ON messages (agent_id, dedupe_key) WHERE dedupe_key IS NOT NULL;
CREATE INDEX messages_email_message_id ON messages (agent_id, email_message_id);
CREATE INDEX messages_conversation ON messages (agent_id, conversation_id, seq);
CREATE INDEX messages_raw ON messages (raw_sha256);
CREATE INDEX messages_age ON messages (created_at);

CREATE TABLE message_labels (
  message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
  label TEXT NOT NULL,
  PRIMARY KEY (message_id, label)
);
CREATE INDEX message_labels_label ON message_labels (label, message_id);

CREATE TABLE events (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  agent_id TEXT,
  type TEXT NOT NULL,
  data TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX events_user ON events (user_id, id);
CREATE INDEX events_age ON events (created_at);

CREATE TABLE deliveries (
  id TEXT PRIMARY KEY,
  event_id TEXT NOT NULL,
  message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
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
CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE status = 'pending';
CREATE INDEX deliveries_endpoint ON deliveries (endpoint_id, status);
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

CREATE TABLE idempotency_keys (
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  request_hash TEXT NOT NULL,
  status INTEGER,
  body TEXT,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- Full text: words as store/mail/search.ts splits and folds them, so the tokenizer only splits at spaces.
-- The index keeps no copy of the text.
CREATE VIRTUAL TABLE message_search USING fts5 (
  document, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);
CREATE TRIGGER message_search_delete AFTER DELETE ON messages BEGIN
  DELETE FROM message_search WHERE rowid = old.n;
END;
