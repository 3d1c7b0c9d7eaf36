-- Signing in: a session's browser, the key that opened it, and links for one account.

ALTER TABLE sessions ADD COLUMN key_id TEXT REFERENCES api_keys (id) ON DELETE CASCADE;
ALTER TABLE sessions ADD COLUMN user_agent TEXT;
ALTER TABLE sessions ADD COLUMN ip TEXT;
ALTER TABLE sessions ADD COLUMN last_used_at INTEGER;
CREATE INDEX sessions_opened_with ON sessions (key_id) WHERE key_id IS NOT NULL;

ALTER TABLE sign_in_tokens ADD COLUMN user_id TEXT REFERENCES users (id) ON DELETE CASCADE;
ALTER TABLE sign_in_tokens ADD COLUMN return_to TEXT NOT NULL DEFAULT '/';
CREATE INDEX sign_in_tokens_user ON sign_in_tokens (user_id, expires_at) WHERE user_id IS NOT NULL;

-- Every visitor without an account makes the server ask whether there is an account, and which was first.
CREATE INDEX users_first ON users (created_at, id);
