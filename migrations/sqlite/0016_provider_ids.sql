-- The upstream's own id of a message, for each recipient. Some upstreams send the message under it, so answers name it.
ALTER TABLE outbound_recipients ADD COLUMN provider_message_id TEXT;
CREATE INDEX outbound_recipients_provider ON outbound_recipients (agent_id, provider_message_id)
  WHERE provider_message_id IS NOT NULL;
