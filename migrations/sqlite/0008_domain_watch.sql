-- Proven domains are checked regularly: the records DNS has had, and those now missing.

ALTER TABLE domains ADD COLUMN check_due_at INTEGER;
ALTER TABLE domains ADD COLUMN seen_records TEXT NOT NULL DEFAULT '[]';
ALTER TABLE domains ADD COLUMN suspect_since INTEGER;
ALTER TABLE domains ADD COLUMN degraded_at INTEGER;
CREATE INDEX domains_check ON domains (check_due_at) WHERE verified_at IS NOT NULL;
