-- Requests of each key per minute, shared by all nodes. Unlogged: a crash may lose a minute's counts.

CREATE UNLOGGED TABLE request_counts (
  key TEXT NOT NULL,
  minute BIGINT NOT NULL,
  count BIGINT NOT NULL,
  PRIMARY KEY (key, minute)
);
