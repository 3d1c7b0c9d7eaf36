-- Proven domains are looked at again and again: what DNS had, and what is gone.

ALTER TABLE domains ADD COLUMN check_due_at INTEGER;
ALTER TABLE domains ADD COLUMN seen_records TEXT NOT NULL DEFAULT '[]';
ALTER TABLE domains ADD COLUMN suspect_since INTEGER;
ALTER TABLE domains ADD COLUMN degraded_at INTEGER;
CREATE INDEX domains_check ON domains (check_due_at) WHERE verified_at IS NOT NULL;
