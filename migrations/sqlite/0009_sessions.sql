-- Ways to sign in: which browser a session is, which key opened it, and links that are for one account.

ALTER TABLE sessions ADD COLUMN key_id TEXT REFERENCES api_keys (id) ON DELETE CASCADE;
ALTER TABLE sessions ADD COLUMN user_agent TEXT;
ALTER TABLE sessions ADD COLUMN ip TEXT;
ALTER TABLE sessions ADD COLUMN last_used_at INTEGER;
CREATE INDEX sessions_opened_with ON sessions (key_id) WHERE key_id IS NOT NULL;

ALTER TABLE sign_in_tokens ADD COLUMN user_id TEXT REFERENCES users (id) ON DELETE CASCADE;
ALTER TABLE sign_in_tokens ADD COLUMN return_to TEXT NOT NULL DEFAULT '/';
CREATE INDEX sign_in_tokens_user ON sign_in_tokens (user_id, expires_at) WHERE user_id IS NOT NULL;

-- Whether there is an account, and which is the first, is asked by everybody who has none.
CREATE INDEX users_first ON users (created_at, id);
