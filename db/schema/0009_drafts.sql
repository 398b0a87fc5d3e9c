-- Requests that were not accepted (too expensive, a setting that does not exist …), so that Edit can open them again.
-- Settings are the line as it was typed, which may be what was wrong.
CREATE TABLE drafts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL,
    request TEXT NOT NULL CHECK (json_valid(request)),
    settings TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (json_valid(origin)),
    init_image BLOB,
    mask_image BLOB,
    created_at REAL NOT NULL
) STRICT;

CREATE INDEX drafts_by_user ON drafts (user_id);
CREATE INDEX drafts_by_age ON drafts (created_at);
CREATE INDEX drafts_by_guild ON drafts (json_extract(origin, '$.place.guild_id'));
