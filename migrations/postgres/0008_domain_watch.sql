-- Proven domains are checked regularly: the records DNS has had, and those now missing.

ALTER TABLE domains ADD COLUMN check_due_at TIMESTAMPTZ(3);
ALTER TABLE domains ADD COLUMN seen_records JSON NOT NULL DEFAULT '[]';
ALTER TABLE domains ADD COLUMN suspect_since TIMESTAMPTZ(3);
ALTER TABLE domains ADD COLUMN degraded_at TIMESTAMPTZ(3);
CREATE INDEX domains_check ON domains (check_due_at) WHERE verified_at IS NOT NULL;
