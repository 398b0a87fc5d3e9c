-- What communities do: appeals and reports, prompt channels, challenges, stars, fingerprints, and when a server was left.
-- A row that still has to be shown in Discord says so by an empty *_at or *_message_id; one loop looks for such rows.

-- The request behind a refusal that may be appealed, so that "allow once" can paint it.
CREATE TABLE refused_requests (
    decision_id INTEGER PRIMARY KEY REFERENCES decisions (id) ON DELETE CASCADE,
    request TEXT NOT NULL CHECK (json_valid(request)),
    origin TEXT NOT NULL CHECK (json_valid(origin)),
    init_image BLOB,
    mask_image BLOB,
    created_at REAL NOT NULL
) STRICT;

-- One card in the review channel.
CREATE TABLE cases (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('appeal', 'report', 'approval')),
    guild_id INTEGER NOT NULL,
    channel_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,  -- whose prompt or picture it is
    opened_by INTEGER NOT NULL,
    decision_id INTEGER REFERENCES decisions (id) ON DELETE CASCADE,
    job_id INTEGER REFERENCES jobs (id) ON DELETE CASCADE,
    statement TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT 'open' CHECK (
        status IN ('open', 'allowed_once', 'allowed_here', 'upheld', 'blocked', 'approved', 'removed', 'kept', 'expired')
    ),
    opened_at REAL NOT NULL,
    resolved_at REAL,
    resolved_by INTEGER,
    card_channel_id INTEGER,
    card_message_id INTEGER,
    shown_status TEXT,  -- which status the card shows
    told_at REAL,  -- when the member was told of the outcome
    CHECK ((status = 'open') = (resolved_at IS NULL))
) STRICT;

CREATE UNIQUE INDEX cases_one_appeal ON cases (decision_id) WHERE kind = 'appeal';
CREATE UNIQUE INDEX cases_one_approval ON cases (job_id) WHERE kind = 'approval';
CREATE UNIQUE INDEX cases_one_report ON cases (job_id, opened_by) WHERE kind = 'report';
CREATE INDEX cases_by_guild ON cases (guild_id, status);
CREATE INDEX cases_by_user ON cases (user_id);
CREATE INDEX cases_unshown ON cases (id) WHERE shown_status IS NOT status;
CREATE INDEX cases_untold ON cases (id) WHERE status != 'open' AND told_at IS NULL;

-- Moderators' corrections of the policy: one request once, or a phrase from now on.
CREATE TABLE allowances (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    guild_id INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('once', 'phrase')),
    value TEXT NOT NULL,
    user_id INTEGER,  -- once: the only member it holds for
    case_id INTEGER REFERENCES cases (id) ON DELETE SET NULL,
    granted_by INTEGER NOT NULL,
    granted_at REAL NOT NULL,
    revoked_at REAL,
    job_id INTEGER REFERENCES jobs (id) ON DELETE SET NULL,
    used_at REAL,  -- once: when a job took it
    CHECK (kind = 'phrase' OR user_id IS NOT NULL)
) STRICT;

CREATE INDEX allowances_by_guild ON allowances (guild_id, kind);

-- Channels in which a picture is shown only after a moderator's yes.
CREATE TABLE approval_channels (
    channel_id INTEGER PRIMARY KEY,
    guild_id INTEGER NOT NULL,
    set_by INTEGER NOT NULL,
    set_at REAL NOT NULL
) STRICT;

-- 64-bit perceptual hashes of a picture and of windows of it, eight bytes each.
CREATE TABLE picture_hashes (
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (job_id, position)
) STRICT;

CREATE TABLE prompt_channels (
    channel_id INTEGER PRIMARY KEY,
    guild_id INTEGER NOT NULL,
    prefix TEXT NOT NULL DEFAULT '',
    suffix TEXT NOT NULL DEFAULT '',
    negative_prompt TEXT NOT NULL DEFAULT '',
    preset TEXT,
    shape TEXT NOT NULL DEFAULT 'square' CHECK (shape IN ('portrait', 'square', 'landscape')),
    seed INTEGER,  -- NULL: a new one for every picture
    cooldown_seconds INTEGER NOT NULL DEFAULT 0 CHECK (cooldown_seconds >= 0),
    answer TEXT NOT NULL DEFAULT 'reply' CHECK (answer IN ('reply', 'thread')),
    other_messages TEXT NOT NULL DEFAULT 'keep' CHECK (other_messages IN ('keep', 'delete')),
    opened_by INTEGER NOT NULL,
    opened_at REAL NOT NULL,
    latest_message_id INTEGER,  -- where catching up starts after the bot was away
    problem TEXT  -- the problem that the moderators were told about last
) STRICT;

CREATE INDEX prompt_channels_by_guild ON prompt_channels (guild_id);

-- Every message that was read as a prompt, once.
CREATE TABLE prompt_messages (
    message_id INTEGER PRIMARY KEY,
    channel_id INTEGER NOT NULL,  -- the prompt channel, also when the message lies in a thread of it
    guild_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    job_id INTEGER REFERENCES jobs (id) ON DELETE SET NULL,
    reply_id INTEGER,  -- our words to it, when they are not the job's own message
    status TEXT NOT NULL DEFAULT 'taken' CHECK (status IN ('taken', 'accepted', 'answered', 'cooling')),
    taken_at REAL NOT NULL
) STRICT;

CREATE INDEX prompt_messages_by_job ON prompt_messages (job_id);
CREATE INDEX prompt_messages_by_user ON prompt_messages (channel_id, user_id, taken_at);

CREATE TABLE challenges (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    guild_id INTEGER NOT NULL,
    channel_id INTEGER NOT NULL,
    themes TEXT NOT NULL CHECK (json_valid(themes)),  -- a recurring challenge takes the next one each time
    round INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'ended', 'cancelled')),
    created_by INTEGER NOT NULL,
    starts_at REAL NOT NULL,
    ends_at REAL NOT NULL CHECK (ends_at > starts_at),
    repeat_seconds INTEGER,
    message_id INTEGER,
    results_message_id INTEGER,
    previous_id INTEGER UNIQUE REFERENCES challenges (id) ON DELETE SET NULL
) STRICT;

CREATE INDEX challenges_by_guild ON challenges (guild_id, status);
CREATE INDEX challenges_due ON challenges (ends_at) WHERE status = 'open';

CREATE TABLE challenge_entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    challenge_id INTEGER NOT NULL REFERENCES challenges (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    entered_at REAL NOT NULL,
    message_id INTEGER,
    votes INTEGER,  -- counted at the end
    is_winner INTEGER NOT NULL DEFAULT 0,
    UNIQUE (challenge_id, number),
    UNIQUE (challenge_id, user_id)
) STRICT;

CREATE TABLE challenge_votes (
    challenge_id INTEGER NOT NULL REFERENCES challenges (id) ON DELETE CASCADE,
    user_id INTEGER NOT NULL,
    entry_id INTEGER NOT NULL REFERENCES challenge_entries (id) ON DELETE CASCADE,
    voted_at REAL NOT NULL,
    PRIMARY KEY (challenge_id, user_id)
) STRICT;

CREATE TRIGGER no_vote_for_oneself BEFORE INSERT ON challenge_votes
WHEN (SELECT user_id FROM challenge_entries WHERE id = NEW.entry_id) = NEW.user_id
BEGIN SELECT RAISE(ABORT, 'nobody votes for themselves'); END;

CREATE TABLE starboards (
    guild_id INTEGER PRIMARY KEY,
    channel_id INTEGER NOT NULL,
    threshold INTEGER NOT NULL CHECK (threshold BETWEEN 1 AND 100),
    set_by INTEGER NOT NULL,
    set_at REAL NOT NULL
) STRICT;

CREATE TABLE stars (
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    user_id INTEGER NOT NULL,
    PRIMARY KEY (job_id, user_id)
) STRICT;

-- A picture that reached its server's number of stars, once.
CREATE TABLE starred (
    job_id INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    guild_id INTEGER NOT NULL,
    channel_id INTEGER NOT NULL,
    reached_at REAL NOT NULL,
    message_id INTEGER,
    is_closed INTEGER NOT NULL DEFAULT 0  -- posted, or never to be posted
) STRICT;

-- Servers that removed the bot; their data is erased some time later.
CREATE TABLE departures (
    guild_id INTEGER PRIMARY KEY,
    left_at REAL NOT NULL
) STRICT;

-- Members who erased their data: what still counts for a day (their ledger rows) loses their name after it.
CREATE TABLE erasures (
    user_id INTEGER PRIMARY KEY,
    asked_at REAL NOT NULL
) STRICT;
