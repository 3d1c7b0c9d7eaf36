-- What the gate remembers about an agent's mail, even after the mail is deleted, and what reviewers are shown.

-- An address is known if mail has left for it, or if mail was proven to come from it.
ALTER TABLE correspondents ADD COLUMN left_at INTEGER;
ALTER TABLE correspondents ADD COLUMN heard_at INTEGER;
UPDATE correspondents SET left_at = created_at;
INSERT INTO correspondents (agent_id, address, created_at, heard_at)
  SELECT agent_id, from_address, MIN(created_at), MIN(created_at) FROM messages
  WHERE verified = 1 AND from_address <> '' GROUP BY agent_id, from_address
  ON CONFLICT (agent_id, address) DO UPDATE SET heard_at = excluded.heard_at;

-- Conversations and addresses with mail from an unproven sender: "conversation <id>", "address <address>".
CREATE TABLE unproven (
  agent_id TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (agent_id, key)
);
CREATE INDEX unproven_last ON unproven (last_at);
INSERT INTO unproven (agent_id, key, last_at)
  SELECT agent_id, 'conversation ' || conversation_id, MAX(created_at) FROM messages
  WHERE verified = 0 GROUP BY agent_id, conversation_id;
INSERT INTO unproven (agent_id, key, last_at)
  SELECT agent_id, 'address ' || from_address, MAX(created_at) FROM messages
  WHERE verified = 0 AND from_address <> '' GROUP BY agent_id, from_address;
INSERT INTO unproven (agent_id, key, last_at)
  SELECT m.agent_id, 'address ' || (json_extract(box.value, '$.address')), MAX(m.created_at) FROM messages m, json_each(m.reply_to_mailboxes) AS box
  WHERE m.verified = 0 GROUP BY m.agent_id, 2
  ON CONFLICT DO NOTHING;

-- What a reviewer is shown of a held message: computed once, when it is held or changed.
ALTER TABLE outbound_messages ADD COLUMN review TEXT;
