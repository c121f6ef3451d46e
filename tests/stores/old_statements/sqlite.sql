-- 1
CREATE TABLE session (
    session_id TEXT NOT NULL PRIMARY KEY,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    recipe_user_id TEXT NOT NULL,
    access_token_payload TEXT NOT NULL,
    session_data TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    ip_address TEXT,
    user_agent TEXT,
    generation INTEGER NOT NULL,
    current BLOB NOT NULL,
    previous BLOB,
    current_kid INTEGER NOT NULL,
    window_at INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL,
    idle_expires_at INTEGER NOT NULL,
    absolute_expires_at INTEGER
);
CREATE INDEX session_user ON session (user_id, tenant_id);
CREATE INDEX session_deadline ON session (min(idle_expires_at, ifnull(absolute_expires_at, idle_expires_at)));
CREATE TABLE signing_key (
    kid TEXT NOT NULL PRIMARY KEY,
    family TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    algorithm TEXT NOT NULL,
    public_jwk TEXT NOT NULL,
    private_key BLOB NOT NULL,
    secret_kid INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    activates_at INTEGER NOT NULL,
    token_lifetime INTEGER NOT NULL,
    UNIQUE (family, sequence)
);
-- 2
CREATE TABLE notice (subject TEXT NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL);
CREATE INDEX notice_at ON notice (at);
-- 3
ALTER TABLE session ADD COLUMN exchanged BLOB;
ALTER TABLE session ADD COLUMN used BLOB;
ALTER TABLE session ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN crossed INTEGER NOT NULL DEFAULT 0;
-- 4
ALTER TABLE session ADD COLUMN idle_timeout INTEGER;
ALTER TABLE session ADD COLUMN kind TEXT NOT NULL DEFAULT 'default';
ALTER TABLE session ADD COLUMN persistent INTEGER NOT NULL DEFAULT 1;
