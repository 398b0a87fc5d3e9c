-- The first house: jobs with their pictures, what people agreed to, and requests that wait for an agreement.
-- Times are Unix seconds (UTC). Requests are JSON; picture files that belong to a request lie beside it as blobs.

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused: buttons of old messages carry it
    user_id INTEGER NOT NULL,
    guild_id INTEGER,
    channel_id INTEGER NOT NULL,
    message_id INTEGER,
    status TEXT NOT NULL DEFAULT 'queued' CHECK (
        status IN ('queued', 'running', 'done', 'delivered', 'refused', 'withheld', 'failed', 'cancelled')
    ),
    request TEXT NOT NULL CHECK (json_valid(request)),
    images INTEGER NOT NULL CHECK (images BETWEEN 1 AND 4),
    age_restricted INTEGER NOT NULL DEFAULT 0,
    adult_opt_in INTEGER NOT NULL DEFAULT 0,
    source TEXT NOT NULL DEFAULT 'slash',
    locale TEXT NOT NULL DEFAULT 'en',
    parent_id INTEGER REFERENCES jobs (id) ON DELETE SET NULL,
    filesize_limit INTEGER,
    created_at REAL NOT NULL,
    started_at REAL,
    finished_at REAL,
    delivered_at REAL,  -- when its message showed the end of the story, whichever it was
    outcome TEXT,
    model TEXT CHECK (model IS NULL OR json_valid(model)),
    seconds REAL
) STRICT;

CREATE INDEX jobs_by_user ON jobs (user_id, created_at);
CREATE INDEX jobs_open ON jobs (status) WHERE status IN ('queued', 'running');
CREATE INDEX jobs_undelivered ON jobs (finished_at) WHERE delivered_at IS NULL;
CREATE INDEX jobs_by_message ON jobs (message_id);

CREATE TABLE job_inputs (
    job_id INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    init_image BLOB,
    mask_image BLOB
) STRICT;

CREATE TABLE pictures (
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    seed INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    png BLOB,  -- NULL: withheld by the picture check
    verdict TEXT NOT NULL,
    scores TEXT NOT NULL CHECK (json_valid(scores)),
    PRIMARY KEY (job_id, position)
) STRICT;

CREATE TABLE agreements (
    user_id INTEGER NOT NULL,
    terms_version TEXT NOT NULL,
    agreed_at REAL NOT NULL,
    PRIMARY KEY (user_id, terms_version)
) STRICT;

CREATE TABLE guild_agreements (
    guild_id INTEGER NOT NULL,
    terms_version TEXT NOT NULL,
    user_id INTEGER NOT NULL,
    agreed_at REAL NOT NULL,
    PRIMARY KEY (guild_id, terms_version)
) STRICT;

CREATE TABLE pending_requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL,
    request TEXT NOT NULL CHECK (json_valid(request)),
    origin TEXT NOT NULL CHECK (json_valid(origin)),
    init_image BLOB,
    mask_image BLOB,
    created_at REAL NOT NULL
) STRICT;

CREATE TABLE decisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id INTEGER REFERENCES jobs (id) ON DELETE SET NULL,
    user_id INTEGER NOT NULL,
    guild_id INTEGER,
    channel_id INTEGER NOT NULL,
    subject TEXT NOT NULL CHECK (subject IN ('prompt', 'picture')),
    action TEXT NOT NULL,
    clause TEXT,
    tier TEXT,
    rules TEXT NOT NULL CHECK (json_valid(rules)),
    scores TEXT NOT NULL CHECK (json_valid(scores)),
    spans TEXT NOT NULL CHECK (json_valid(spans)),
    rule_set TEXT NOT NULL,
    prompt TEXT,  -- NULL where the law asks for the least (clause b) and after the retention period
    negative_prompt TEXT,
    prompt_sha256 TEXT NOT NULL,
    decided_at REAL NOT NULL
) STRICT;

CREATE INDEX decisions_by_user ON decisions (user_id, decided_at);

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
