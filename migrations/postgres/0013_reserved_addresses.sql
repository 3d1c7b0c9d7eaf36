-- Addresses of deleted agents on the server's own domains, reserved for the account that had them.
CREATE TABLE reserved_addresses (
  address TEXT PRIMARY KEY,
  owner_hash TEXT NOT NULL,
  released_at TIMESTAMPTZ(3) NOT NULL
);
CREATE INDEX reserved_addresses_released ON reserved_addresses (released_at);

-- An Idempotency-Key sent with an agent's API key belongs to that agent, not the account: "<agent> <line end> <key>".
UPDATE idempotency_keys SET key = (
  SELECT m.agent_id || chr(10) || m.idempotency_key FROM outbound_messages m
  WHERE m.user_id = idempotency_keys.user_id AND m.idempotency_key = idempotency_keys.key
) WHERE EXISTS (
  SELECT 1 FROM outbound_messages m JOIN api_keys k ON k.id = m.request_by
  WHERE m.user_id = idempotency_keys.user_id AND m.idempotency_key = idempotency_keys.key AND k.agent_id IS NOT NULL
);
UPDATE outbound_messages SET idempotency_key = agent_id || chr(10) || idempotency_key
  WHERE idempotency_key IS NOT NULL AND request_by IN (SELECT id FROM api_keys WHERE agent_id IS NOT NULL);
