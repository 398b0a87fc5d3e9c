-- What moderators decide: settings, quotas, blocks, strikes; what everybody spent; and who did what.
-- Credits are whole thousandths ("millicredits"). A guild_id of 0 means direct messages, or everywhere for owner's acts.

CREATE TABLE place_settings (
    guild_id INTEGER NOT NULL,
    channel_id INTEGER NOT NULL DEFAULT 0,  -- 0: the whole server
    name TEXT NOT NULL,
    value TEXT NOT NULL CHECK (json_valid(value)),
    PRIMARY KEY (guild_id, channel_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    guild_id INTEGER NOT NULL,
    actor_id INTEGER,  -- NULL: the bot itself, or a person whose data was erased
    action TEXT NOT NULL,
    target TEXT,  -- "member:1", "role:2", "channel:3", "job:4", "server"; NULL: erased
    details TEXT NOT NULL CHECK (json_valid(details)),
    created_at REAL NOT NULL
) STRICT;

CREATE INDEX audit_by_guild ON audit (guild_id, id);

-- Append-only: a row may lose the identity of a person who asked for erasure, and nothing else may ever change.
CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
WHEN NEW.id <> OLD.id OR NEW.guild_id <> OLD.guild_id OR NEW.action <> OLD.action OR NEW.created_at <> OLD.created_at
    OR (NEW.actor_id IS NOT NULL AND NEW.actor_id IS NOT OLD.actor_id)
    OR (NEW.target IS NOT NULL AND NEW.target IS NOT OLD.target)
    OR (NEW.details <> '{}' AND NEW.details <> OLD.details)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TABLE audit_posts (
    guild_id INTEGER PRIMARY KEY,
    last_id INTEGER NOT NULL  -- the newest audit row that its audit channel shows
) STRICT;

-- ---- quotas ---------------------------------------------------------------------------------------------------------

CREATE TABLE quota_rules (
    guild_id INTEGER NOT NULL,
    subject TEXT NOT NULL CHECK (subject IN ('member', 'role', 'channel', 'everyone', 'server')),
    subject_id INTEGER NOT NULL DEFAULT 0,  -- 0 for everyone and for the server's own budget
    per_hour INTEGER CHECK (per_hour >= 0),  -- millicredits; NULL: not decided by this rule
    per_day INTEGER CHECK (per_day >= 0),
    max_jobs INTEGER CHECK (max_jobs >= 0),
    weight REAL CHECK (weight > 0),
    reason TEXT NOT NULL,
    actor_id INTEGER NOT NULL,
    set_at REAL NOT NULL,
    expires_at REAL,
    PRIMARY KEY (guild_id, subject, subject_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('grant', 'spend', 'refund', 'reset')),
    guild_id INTEGER NOT NULL,
    subject TEXT NOT NULL CHECK (subject IN ('member', 'role', 'channel', 'everyone')),
    subject_id INTEGER,  -- NULL: a person whose data was erased
    amount INTEGER NOT NULL,
    channel_id INTEGER,
    job_id INTEGER,
    grant_id INTEGER REFERENCES ledger (id),  -- whose extra credits were spent; NULL: the refilling allowance
    anchor_id INTEGER REFERENCES ledger (id),  -- the spend that a refund belongs to
    actor_id INTEGER,
    reason TEXT NOT NULL,
    created_at REAL NOT NULL,
    counts_at REAL NOT NULL,  -- a refund counts at the time of its spend, so that the two cancel out in every window
    expires_at REAL,
    CHECK (CASE kind WHEN 'spend' THEN amount < 0 WHEN 'reset' THEN amount = 0 ELSE amount > 0 END),
    CHECK ((kind = 'refund') = (anchor_id IS NOT NULL))
) STRICT;

CREATE INDEX ledger_by_member ON ledger (subject_id, counts_at) WHERE kind IN ('spend', 'refund');
CREATE INDEX ledger_by_guild ON ledger (guild_id, counts_at) WHERE kind IN ('spend', 'refund');
CREATE INDEX ledger_grants ON ledger (guild_id, subject_id) WHERE kind = 'grant';
CREATE INDEX ledger_resets ON ledger (guild_id, id) WHERE kind = 'reset';
CREATE INDEX ledger_by_grant ON ledger (grant_id, subject_id) WHERE grant_id IS NOT NULL;
CREATE INDEX ledger_by_anchor ON ledger (anchor_id) WHERE anchor_id IS NOT NULL;
CREATE INDEX ledger_by_job ON ledger (job_id) WHERE job_id IS NOT NULL;

CREATE TRIGGER ledger_is_append_only BEFORE UPDATE ON ledger
WHEN NEW.id <> OLD.id OR NEW.kind <> OLD.kind OR NEW.guild_id <> OLD.guild_id OR NEW.subject <> OLD.subject
    OR NEW.amount <> OLD.amount OR NEW.channel_id IS NOT OLD.channel_id OR NEW.grant_id IS NOT OLD.grant_id
    OR NEW.anchor_id IS NOT OLD.anchor_id OR NEW.created_at <> OLD.created_at OR NEW.counts_at <> OLD.counts_at
    OR NEW.expires_at IS NOT OLD.expires_at
    OR (NEW.subject_id IS NOT NULL AND NEW.subject_id IS NOT OLD.subject_id)
    OR (NEW.actor_id IS NOT NULL AND NEW.actor_id IS NOT OLD.actor_id)
    OR (NEW.job_id IS NOT NULL AND NEW.job_id IS NOT OLD.job_id)
    OR (NEW.reason <> '' AND NEW.reason <> OLD.reason)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;

CREATE TRIGGER ledger_is_kept BEFORE DELETE ON ledger
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;

ALTER TABLE jobs ADD COLUMN is_strict INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN cost INTEGER NOT NULL DEFAULT 0;  -- millicredits
ALTER TABLE jobs ADD COLUMN spend TEXT NOT NULL DEFAULT '[]';  -- [{"amount":…,"grant":…,"channel":…}], adds up to cost
ALTER TABLE jobs ADD COLUMN weight REAL NOT NULL DEFAULT 1;
ALTER TABLE jobs ADD COLUMN guild_weight REAL NOT NULL DEFAULT 1;

-- Spends and refunds are triggers, so that no path through the code can accept a job without charging it, or end one
-- without paying back.
CREATE TRIGGER jobs_spend AFTER INSERT ON jobs
BEGIN
    INSERT INTO ledger (kind, guild_id, subject, subject_id, amount, channel_id, job_id, grant_id, actor_id, reason,
                        created_at, counts_at)
    SELECT 'spend', coalesce(NEW.guild_id, 0), 'member', NEW.user_id, -json_extract(part.value, '$.amount'),
           json_extract(part.value, '$.channel'), NEW.id, json_extract(part.value, '$.grant'), NEW.user_id,
           'picture asked for', NEW.created_at, NEW.created_at
    FROM json_each(NEW.spend) AS part;
END;

CREATE TRIGGER jobs_refund AFTER UPDATE OF status ON jobs
WHEN NEW.status IN ('refused', 'withheld', 'failed', 'cancelled')
    AND OLD.status NOT IN ('refused', 'withheld', 'failed', 'cancelled')
BEGIN
    INSERT INTO ledger (kind, guild_id, subject, subject_id, amount, channel_id, job_id, grant_id, anchor_id, reason,
                        created_at, counts_at)
    SELECT 'refund', guild_id, subject, subject_id, unpaid, channel_id, job_id, grant_id, id,
           'picture ' || NEW.status, coalesce(NEW.finished_at, created_at), counts_at
    FROM (
        SELECT *, -amount - coalesce((SELECT sum(back.amount) FROM ledger AS back WHERE back.anchor_id = spend.id), 0)
               AS unpaid
        FROM ledger AS spend WHERE job_id = NEW.id AND kind = 'spend'
    )
    WHERE unpaid > 0;
END;

-- One of several pictures was withheld: its share comes back.
CREATE TRIGGER pictures_refund AFTER INSERT ON pictures
WHEN NEW.png IS NULL AND (SELECT status FROM jobs WHERE id = NEW.job_id) = 'done'
BEGIN
    INSERT INTO ledger (kind, guild_id, subject, subject_id, amount, channel_id, job_id, grant_id, anchor_id, reason,
                        created_at, counts_at)
    SELECT 'refund', spend.guild_id, spend.subject, spend.subject_id, -spend.amount / jobs.images, spend.channel_id,
           spend.job_id, spend.grant_id, spend.id, 'one picture withheld',
           coalesce(jobs.finished_at, spend.created_at), spend.counts_at
    FROM ledger AS spend JOIN jobs ON jobs.id = spend.job_id
    WHERE spend.job_id = NEW.job_id AND spend.kind = 'spend' AND -spend.amount / jobs.images > 0;
END;

-- ---- blocks and strikes ---------------------------------------------------------------------------------------------

CREATE TABLE blocks (
    guild_id INTEGER NOT NULL,  -- 0: everywhere
    user_id INTEGER NOT NULL,  -- 0: the whole server
    reason TEXT NOT NULL,
    actor_id INTEGER NOT NULL,
    created_at REAL NOT NULL,
    expires_at REAL,
    PRIMARY KEY (guild_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE strikes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    guild_id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    decision_id INTEGER REFERENCES decisions (id) ON DELETE SET NULL,
    clause TEXT,
    created_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    lifted_by INTEGER,
    lifted_at REAL
) STRICT;

CREATE INDEX strikes_by_member ON strikes (guild_id, user_id, created_at);
CREATE INDEX decisions_by_guild ON decisions (guild_id, decided_at);

-- Moderators who try the filter get no strikes, and the dry run must know it, too.
ALTER TABLE decisions ADD COLUMN is_exempt INTEGER NOT NULL DEFAULT 0;
