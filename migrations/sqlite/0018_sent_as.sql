-- The Message-ID by which the upstream replaced ours, for each recipient. Follow-ups name it, even if the upstream has
-- changed since.
ALTER TABLE outbound_recipients ADD COLUMN sent_as TEXT;
UPDATE outbound_recipients SET sent_as = '<' || provider_message_id || '>' WHERE provider_message_id LIKE '%@%';
