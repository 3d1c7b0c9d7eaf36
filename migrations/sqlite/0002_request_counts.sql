-- Requests of each key in each minute. SQLite has one process, which counts in memory; the table is there for Postgres.

CREATE TABLE request_counts (
  key TEXT NOT NULL,
  minute INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (key, minute)
);
