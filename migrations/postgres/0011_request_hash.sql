-- The request that made a message, so that a repetition finds it, and when the client got its final answer.

ALTER TABLE outbound_messages ADD COLUMN request_hash TEXT;
ALTER TABLE outbound_messages ADD COLUMN request_by TEXT;
ALTER TABLE outbound_messages ADD COLUMN answered_at TIMESTAMPTZ(3);
UPDATE outbound_messages SET request_hash = (
  SELECT k.request_hash FROM idempotency_keys k
  WHERE k.user_id = outbound_messages.user_id AND k.key = outbound_messages.idempotency_key
) WHERE idempotency_key IS NOT NULL;
CREATE INDEX outbound_messages_request ON outbound_messages (agent_id, request_hash)
  WHERE request_hash IS NOT NULL AND idempotency_key IS NULL AND answered_at IS NULL;
