-- All mail of an account: its inbox by time, and its volume per day.
-- The last two include status and type, because SQLite looks up the row for a column that is not in the index.

CREATE INDEX messages_inbox ON messages (user_id, created_at, id);
CREATE INDEX messages_inbox_unread ON messages (user_id, created_at, id) WHERE status = 'unread';
CREATE INDEX outbound_messages_went ON outbound_messages (user_id, created_at, status, type)
  WHERE type <> 'notice' AND status IN ('sent', 'delivered', 'expired_approved');
CREATE INDEX outbound_messages_lost ON outbound_messages (user_id, created_at, status, type)
  WHERE type <> 'notice' AND status IN ('failed', 'bounced');
