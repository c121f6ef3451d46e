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
-- 5
ALTER TABLE session ADD COLUMN factors TEXT NOT NULL DEFAULT '{}';
ALTER TABLE session ADD COLUMN acr TEXT;
ALTER TABLE session ADD COLUMN first_ip_address TEXT;
ALTER TABLE session ADD COLUMN first_user_agent TEXT;
ALTER TABLE session ADD COLUMN label TEXT;
ALTER TABLE session ADD COLUMN actor TEXT;
ALTER TABLE session ADD COLUMN actor_session TEXT;
ALTER TABLE session ADD COLUMN impersonation_reason TEXT;
ALTER TABLE session ADD COLUMN external_session BLOB;
ALTER TABLE session ADD COLUMN external_subject BLOB;
ALTER TABLE session ADD COLUMN last_seen_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN source TEXT;
CREATE INDEX session_external_session ON session (external_session) WHERE external_session IS NOT NULL;
CREATE INDEX session_external_subject ON session (external_subject) WHERE external_subject IS NOT NULL;
CREATE TABLE event (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    name TEXT NOT NULL,
    session_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX event_at ON event (at);
CREATE INDEX event_user ON event (user_id, place);
CREATE TABLE device (
    user_id TEXT NOT NULL,
    tenant_id TEXT NOT NULL,
    device BLOB NOT NULL,
    last_seen_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, tenant_id, device)
) WITHOUT ROWID;
CREATE INDEX device_last_seen_at ON device (last_seen_at);
CREATE TABLE once (digest BLOB NOT NULL PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX once_until ON once (until);
