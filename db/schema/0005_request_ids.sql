-- A job is keyed by the interaction or message that asked for it: what is sent twice is accepted, and paid for, once.
ALTER TABLE jobs ADD COLUMN request_id INTEGER;
CREATE UNIQUE INDEX jobs_by_request ON jobs (request_id) WHERE request_id IS NOT NULL;
