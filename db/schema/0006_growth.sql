-- What keeps every statement short however much is stored: an index for each way in which rows are looked for, and on
-- the child side of each foreign key (without it every delete of a parent reads the whole child table).

CREATE INDEX jobs_by_parent ON jobs (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX jobs_by_guild ON jobs (guild_id);
CREATE INDEX jobs_by_member ON jobs (user_id, guild_id, status);
CREATE INDEX jobs_open_by_user ON jobs (user_id) WHERE status IN ('queued', 'running');
CREATE INDEX jobs_open_by_guild ON jobs (guild_id) WHERE status IN ('queued', 'running');

CREATE INDEX decisions_by_job ON decisions (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX decisions_unstored ON decisions (id) WHERE clause = 'b' AND action IN ('refuse', 'withhold');

CREATE INDEX strikes_by_decision ON strikes (decision_id) WHERE decision_id IS NOT NULL;
CREATE INDEX strikes_by_user ON strikes (user_id);
CREATE INDEX strikes_by_lifter ON strikes (lifted_by) WHERE lifted_by IS NOT NULL;

CREATE INDEX cases_by_decision ON cases (decision_id) WHERE decision_id IS NOT NULL;
CREATE INDEX cases_by_job ON cases (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX cases_by_opener ON cases (opened_by);
CREATE INDEX cases_by_resolver ON cases (resolved_by) WHERE resolved_by IS NOT NULL;
CREATE INDEX cases_held ON cases (job_id) WHERE kind = 'approval' AND status = 'open';

CREATE INDEX allowances_by_case ON allowances (case_id) WHERE case_id IS NOT NULL;
CREATE INDEX allowances_by_job ON allowances (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX allowances_by_user ON allowances (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX allowances_by_granter ON allowances (granted_by);

CREATE INDEX prompt_messages_by_member ON prompt_messages (user_id);
CREATE INDEX prompt_messages_by_guild ON prompt_messages (guild_id);
CREATE INDEX prompt_messages_unfinished ON prompt_messages (channel_id, message_id) WHERE status = 'taken';

CREATE INDEX challenges_by_creator ON challenges (created_by);
CREATE INDEX challenges_unannounced ON challenges (starts_at) WHERE status = 'open' AND message_id IS NULL;
CREATE INDEX challenges_unreported ON challenges (id) WHERE status = 'ended' AND results_message_id IS NULL;
CREATE INDEX challenge_entries_by_job ON challenge_entries (job_id);
CREATE INDEX challenge_entries_by_user ON challenge_entries (user_id);
CREATE INDEX challenge_entries_by_message ON challenge_entries (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX challenge_entries_unposted ON challenge_entries (id) WHERE message_id IS NULL;
CREATE INDEX challenge_votes_by_entry ON challenge_votes (entry_id);
CREATE INDEX challenge_votes_by_user ON challenge_votes (user_id);

CREATE INDEX stars_by_user ON stars (user_id);
CREATE INDEX starred_by_message ON starred (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX starred_open ON starred (reached_at, job_id) WHERE NOT is_closed;

CREATE INDEX pending_requests_by_user ON pending_requests (user_id);
CREATE INDEX pending_requests_by_age ON pending_requests (created_at);
CREATE INDEX pending_requests_by_guild ON pending_requests (json_extract(origin, '$.place.guild_id'));
CREATE INDEX refused_requests_by_age ON refused_requests (created_at);

CREATE INDEX blocks_by_user ON blocks (user_id);
CREATE INDEX blocks_by_actor ON blocks (actor_id);
CREATE INDEX quota_rules_by_subject ON quota_rules (subject, subject_id);
CREATE INDEX quota_rules_by_actor ON quota_rules (actor_id);

CREATE INDEX audit_by_actor ON audit (actor_id, guild_id) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_by_target ON audit (target, guild_id) WHERE target IS NOT NULL;
CREATE INDEX audit_by_owner_of_job ON audit (json_extract(details, '$.member'))
WHERE json_extract(details, '$.member') IS NOT NULL;
CREATE INDEX audit_by_action ON audit (action);
CREATE INDEX audit_named ON audit (guild_id)
WHERE actor_id IS NOT NULL OR target IS NOT NULL OR details <> '{}';

CREATE INDEX ledger_by_subject ON ledger (subject_id, guild_id) WHERE subject_id IS NOT NULL;
CREATE INDEX ledger_named ON ledger (guild_id) WHERE subject_id IS NOT NULL;
CREATE INDEX ledger_by_actor ON ledger (actor_id) WHERE actor_id IS NOT NULL;

-- Erasing takes many small transactions; a row without `erased_at` is one that a stop of the process interrupted.
ALTER TABLE erasures ADD COLUMN erased_at REAL;
UPDATE erasures SET erased_at = asked_at;

-- Since when a job's words and pixels are gone because its server keeps them no longer.
ALTER TABLE jobs ADD COLUMN forgotten_at REAL;
CREATE INDEX jobs_kept ON jobs (guild_id, finished_at) WHERE forgotten_at IS NULL AND finished_at IS NOT NULL;
CREATE INDEX decisions_worded ON decisions (guild_id, decided_at) WHERE prompt IS NOT NULL;
CREATE INDEX cases_worded ON cases (guild_id, resolved_at) WHERE statement <> '' AND resolved_at IS NOT NULL;

-- Several members who reported one picture and erased their data are all nobody.
DROP INDEX cases_one_report;
CREATE UNIQUE INDEX cases_one_report ON cases (job_id, opened_by) WHERE kind = 'report' AND opened_by <> 0;

-- INSERT OR REPLACE deletes without a delete trigger unless a connection asks for it, so inserts are watched, too.
CREATE TRIGGER audit_is_never_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER ledger_is_never_replaced BEFORE INSERT ON ledger
WHEN EXISTS (SELECT 1 FROM ledger WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only');
END;
