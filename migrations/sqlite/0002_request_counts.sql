-- Requests of each key per minute. SQLite has one process, which counts in memory; Postgres uses the table.

CREATE TABLE request_counts (
  key TEXT NOT NULL,
  minute INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (key, minute)
);
