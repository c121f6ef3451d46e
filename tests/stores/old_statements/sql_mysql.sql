-- 0001
CREATE TABLE fastapi_session (
    session_id VARBINARY(32) NOT NULL,
    tenant_id VARBINARY(255) NOT NULL,
    user_id VARBINARY(512) NOT NULL,
    recipe_user_id VARBINARY(512) NOT NULL,
    access_token_payload MEDIUMTEXT NOT NULL,
    session_data MEDIUMTEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    ip_address TEXT,
    user_agent TEXT,
    generation BIGINT NOT NULL,
    current VARBINARY(32) NOT NULL,
    previous VARBINARY(32),
    current_kid INTEGER NOT NULL,
    window_at BIGINT NOT NULL,
    acknowledged BOOL NOT NULL,
    idle_expires_at BIGINT NOT NULL,
    absolute_expires_at BIGINT,
    deadline BIGINT GENERATED ALWAYS AS (least(idle_expires_at, coalesce(absolute_expires_at, idle_expires_at))) STORED,
    PRIMARY KEY (session_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE INDEX fastapi_session_user ON fastapi_session (user_id, tenant_id);
CREATE INDEX fastapi_session_deadline ON fastapi_session (deadline);
CREATE TABLE fastapi_session_signing_key (
    kid VARBINARY(255) NOT NULL,
    family VARBINARY(1) NOT NULL,
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
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
-- 0002
CREATE TABLE fastapi_session_notice (
    notice_id BIGINT NOT NULL AUTO_INCREMENT,
    subject VARBINARY(255) NOT NULL,
    kind VARBINARY(32) NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (notice_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE INDEX fastapi_session_notice_at ON fastapi_session_notice (at);
-- 0003
ALTER TABLE fastapi_session ADD COLUMN exchanged VARBINARY(9);
ALTER TABLE fastapi_session ADD COLUMN used VARBINARY(9);
ALTER TABLE fastapi_session ADD COLUMN used_at BIGINT NOT NULL DEFAULT '0';
ALTER TABLE fastapi_session ADD COLUMN crossed INTEGER NOT NULL DEFAULT '0';
-- 0004
ALTER TABLE fastapi_session MODIFY user_id VARBINARY(1020) NOT NULL;
ALTER TABLE fastapi_session MODIFY recipe_user_id VARBINARY(1020) NOT NULL;
-- 0005
ALTER TABLE fastapi_session ADD COLUMN idle_timeout BIGINT;
ALTER TABLE fastapi_session ADD COLUMN kind VARBINARY(32) NOT NULL DEFAULT 'default';
ALTER TABLE fastapi_session ADD COLUMN persistent BOOL NOT NULL DEFAULT true;
CREATE INDEX fastapi_session_user_page ON fastapi_session (user_id, session_id, tenant_id);
DROP INDEX fastapi_session_user ON fastapi_session;
-- 0006
ALTER TABLE fastapi_session ADD COLUMN factors VARCHAR(2048) NOT NULL DEFAULT '{}';
ALTER TABLE fastapi_session ADD COLUMN acr TEXT;
ALTER TABLE fastapi_session ADD COLUMN first_ip_address TEXT;
ALTER TABLE fastapi_session ADD COLUMN first_user_agent TEXT;
ALTER TABLE fastapi_session ADD COLUMN label TEXT;
ALTER TABLE fastapi_session ADD COLUMN actor TEXT;
ALTER TABLE fastapi_session ADD COLUMN actor_session TEXT;
ALTER TABLE fastapi_session ADD COLUMN impersonation_reason TEXT;
ALTER TABLE fastapi_session ADD COLUMN external_session VARBINARY(32);
CREATE INDEX fastapi_session_external_session ON fastapi_session (external_session);
ALTER TABLE fastapi_session ADD COLUMN external_subject VARBINARY(32);
CREATE INDEX fastapi_session_external_subject ON fastapi_session (external_subject);
ALTER TABLE fastapi_session ADD COLUMN last_seen_at BIGINT NOT NULL DEFAULT '0';
ALTER TABLE fastapi_session ADD COLUMN source TEXT;
CREATE TABLE fastapi_session_event (
    place BIGINT NOT NULL AUTO_INCREMENT,
    event_id VARBINARY(32) NOT NULL,
    at BIGINT NOT NULL,
    name VARBINARY(64) NOT NULL,
    session_id VARBINARY(32) NOT NULL,
    tenant_id VARBINARY(255) NOT NULL,
    user_id VARBINARY(1020) NOT NULL,
    kind VARBINARY(32) NOT NULL,
    body MEDIUMTEXT NOT NULL,
    PRIMARY KEY (place)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE INDEX fastapi_session_event_at ON fastapi_session_event (at);
CREATE INDEX fastapi_session_event_user ON fastapi_session_event (user_id, place);
CREATE TABLE fastapi_session_device (
    user_id VARBINARY(1020) NOT NULL,
    tenant_id VARBINARY(255) NOT NULL,
    device VARBINARY(32) NOT NULL,
    last_seen_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, tenant_id, device)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE INDEX fastapi_session_device_last_seen_at ON fastapi_session_device (last_seen_at);
CREATE TABLE fastapi_session_once (
    digest VARBINARY(32) NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (digest)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE INDEX fastapi_session_once_until ON fastapi_session_once (until);
CREATE TABLE fastapi_session_user (
    user_id VARBINARY(1020) NOT NULL,
    tenant_id VARBINARY(255) NOT NULL,
    PRIMARY KEY (user_id, tenant_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
