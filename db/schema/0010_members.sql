-- Pictures that members keep for themselves (⭐). It is a mark: it goes with the picture, whoever or whatever erases that.
CREATE TABLE kept_pictures (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL,
    job_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    kept_at REAL NOT NULL,
    UNIQUE (job_id, position, user_id),
    FOREIGN KEY (job_id, position) REFERENCES pictures (job_id, position) ON DELETE CASCADE
) STRICT;

CREATE INDEX kept_pictures_by_user ON kept_pictures (user_id, kept_at, id);

CREATE TRIGGER kept_pictures_erased AFTER UPDATE OF png, month ON pictures
WHEN NEW.png IS NULL AND NEW.month IS NULL
BEGIN
    DELETE FROM kept_pictures WHERE job_id = NEW.job_id AND position = NEW.position;
END;

CREATE TRIGGER kept_pictures_withheld AFTER UPDATE OF status ON jobs
WHEN NEW.status = 'withheld'
BEGIN
    DELETE FROM kept_pictures WHERE job_id = NEW.id;
END;

-- What a member chose for themselves, everywhere: one row for each value that was changed.
CREATE TABLE member_settings (
    user_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL CHECK (json_valid(value)),
    PRIMARY KEY (user_id, name)
) STRICT, WITHOUT ROWID;

-- A picture that took long is announced to its member once: due from its end on, begun from just before the bot first
-- tries to post it, and NULL again when that is settled (and for every picture that took no time).
ALTER TABLE jobs ADD COLUMN notice TEXT CHECK (notice IN ('due', 'begun'));
CREATE INDEX jobs_to_announce ON jobs (id) WHERE notice IS NOT NULL;

-- Direct messages in which a member has everything painted are prompt channels without a server (guild_id 0).
CREATE INDEX prompt_channels_by_member ON prompt_channels (opened_by) WHERE guild_id = 0;
