-- 0001
CREATE TABLE fastapi_session (
    session_id VARCHAR(32) NOT NULL,
    tenant_id VARCHAR(255) NOT NULL,
    user_id VARCHAR(512) NOT NULL,
    recipe_user_id VARCHAR(512) NOT NULL,
    access_token_payload TEXT NOT NULL,
    session_data TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    ip_address TEXT,
    user_agent TEXT,
    generation BIGINT NOT NULL,
    current BLOB NOT NULL,
    previous BLOB,
    current_kid INTEGER NOT NULL,
    window_at BIGINT NOT NULL,
    acknowledged BOOLEAN NOT NULL,
    idle_expires_at BIGINT NOT NULL,
    absolute_expires_at BIGINT,
    deadline BIGINT GENERATED ALWAYS AS (min(idle_expires_at, coalesce(absolute_expires_at, idle_expires_at))) STORED,
    PRIMARY KEY (session_id)
);
CREATE INDEX fastapi_session_user ON fastapi_session (user_id, tenant_id);
CREATE INDEX fastapi_session_deadline ON fastapi_session (deadline);
CREATE TABLE fastapi_session_signing_key (
    kid VARCHAR(255) NOT NULL,
    family VARCHAR(1) NOT NULL,
    sequence BIGINT NOT NULL,
    algorithm TEXT NOT NULL,
    public_jwk TEXT NOT NULL,
    private_key BLOB NOT NULL,
    secret_kid INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    activates_at BIGINT NOT NULL,
    token_lifetime BIGINT NOT NULL,
    PRIMARY KEY (kid),
    CONSTRAINT fastapi_session_signing_key_place UNIQUE (family, sequence)
);
-- 0002
CREATE TABLE fastapi_session_notice (
    notice_id INTEGER NOT NULL,
    subject VARCHAR(255) NOT NULL,
    kind VARCHAR(32) NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (notice_id)
);
CREATE INDEX fastapi_session_notice_at ON fastapi_session_notice (at);
-- 0003
ALTER TABLE fastapi_session ADD COLUMN exchanged BLOB;
ALTER TABLE fastapi_session ADD COLUMN used BLOB;
ALTER TABLE fastapi_session ADD COLUMN used_at BIGINT DEFAULT '0' NOT NULL;
ALTER TABLE fastapi_session ADD COLUMN crossed INTEGER DEFAULT '0' NOT NULL;
-- 0005
ALTER TABLE fastapi_session ADD COLUMN idle_timeout BIGINT;
ALTER TABLE fastapi_session ADD COLUMN kind VARCHAR(32) DEFAULT 'default' NOT NULL;
ALTER TABLE fastapi_session ADD COLUMN persistent BOOLEAN DEFAULT 1 NOT NULL;
CREATE INDEX fastapi_session_user_page ON fastapi_session (user_id, session_id, tenant_id);
DROP INDEX fastapi_session_user;
-- 0006
ALTER TABLE fastapi_session ADD COLUMN factors VARCHAR(2048) DEFAULT '{}' NOT NULL;
ALTER TABLE fastapi_session ADD COLUMN acr TEXT;
ALTER TABLE fastapi_session ADD COLUMN first_ip_address TEXT;
ALTER TABLE fastapi_session ADD COLUMN first_user_agent TEXT;
ALTER TABLE fastapi_session ADD COLUMN label TEXT;
ALTER TABLE fastapi_session ADD COLUMN actor TEXT;
ALTER TABLE fastapi_session ADD COLUMN actor_session TEXT;
ALTER TABLE fastapi_session ADD COLUMN impersonation_reason TEXT;
ALTER TABLE fastapi_session ADD COLUMN external_session BLOB;
CREATE INDEX fastapi_session_external_session ON fastapi_session (external_session);
ALTER TABLE fastapi_session ADD COLUMN external_subject BLOB;
CREATE INDEX fastapi_session_external_subject ON fastapi_session (external_subject);
ALTER TABLE fastapi_session ADD COLUMN last_seen_at BIGINT DEFAULT '0' NOT NULL;
ALTER TABLE fastapi_session ADD COLUMN source TEXT;
CREATE TABLE fastapi_session_event (
    place INTEGER NOT NULL,
    event_id VARCHAR(32) NOT NULL,
    at BIGINT NOT NULL,
    name VARCHAR(64) NOT NULL,
    session_id VARCHAR(32) NOT NULL,
    tenant_id VARCHAR(255) NOT NULL,
    user_id VARCHAR(512) NOT NULL,
    kind VARCHAR(32) NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (place)
);
CREATE INDEX fastapi_session_event_at ON fastapi_session_event (at);
CREATE INDEX fastapi_session_event_user ON fastapi_session_event (user_id, place);
CREATE TABLE fastapi_session_device (
    user_id VARCHAR(512) NOT NULL,
    tenant_id VARCHAR(255) NOT NULL,
    device BLOB NOT NULL,
    last_seen_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, tenant_id, device)
);
CREATE INDEX fastapi_session_device_last_seen_at ON fastapi_session_device (last_seen_at);
CREATE TABLE fastapi_session_once (
    digest BLOB NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (digest)
);
CREATE INDEX fastapi_session_once_until ON fastapi_session_once (until);
CREATE TABLE fastapi_session_user (
    user_id VARCHAR(512) NOT NULL,
    tenant_id VARCHAR(255) NOT NULL,
    PRIMARY KEY (user_id, tenant_id)
);
