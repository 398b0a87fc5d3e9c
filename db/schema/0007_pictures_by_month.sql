-- Pictures leave this file for files of their own, one a month (db/picture_files.py). A row names its month's file and
-- the key in it; `png` holds only what an older bot left here, until it is moved (db/picture_sweep.py).
ALTER TABLE pictures ADD COLUMN month TEXT;  -- '2026-11'; NULL: in png, or withheld or erased
ALTER TABLE pictures ADD COLUMN blob_key INTEGER;
ALTER TABLE pictures ADD COLUMN bytes INTEGER;

CREATE UNIQUE INDEX pictures_by_blob ON pictures (month, blob_key) WHERE month IS NOT NULL;
CREATE INDEX pictures_in_rows ON pictures (job_id, position) WHERE png IS NOT NULL;

-- What no row names any more and a month's file may still hold. It is written with the change of the row, so that a
-- row never names a blob that is gone, and nothing that was erased is forgotten here by a stop of the process.
CREATE TABLE erased_blobs (
    month TEXT NOT NULL,
    blob_key INTEGER NOT NULL,
    PRIMARY KEY (month, blob_key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER pictures_deleted AFTER DELETE ON pictures
WHEN OLD.month IS NOT NULL
BEGIN
    INSERT INTO erased_blobs (month, blob_key) VALUES (OLD.month, OLD.blob_key);
END;

CREATE TRIGGER pictures_erased AFTER UPDATE OF month, blob_key ON pictures
WHEN OLD.month IS NOT NULL AND (NEW.month IS NOT OLD.month OR NEW.blob_key IS NOT OLD.blob_key)
BEGIN
    INSERT INTO erased_blobs (month, blob_key) VALUES (OLD.month, OLD.blob_key);
END;

-- One of several pictures was withheld: its share comes back. (As before, but a picture may be in a file.)
DROP TRIGGER pictures_refund;
CREATE TRIGGER pictures_refund AFTER INSERT ON pictures
WHEN NEW.png IS NULL AND NEW.month IS NULL AND (SELECT status FROM jobs WHERE id = NEW.job_id) = 'done'
BEGIN
    INSERT INTO ledger (kind, guild_id, subject, subject_id, amount, channel_id, job_id, grant_id, anchor_id, reason,
                        created_at, counts_at)
    SELECT 'refund', spend.guild_id, spend.subject, spend.subject_id, -spend.amount / jobs.images, spend.channel_id,
           spend.job_id, spend.grant_id, spend.id, 'one picture withheld',
           coalesce(jobs.finished_at, spend.created_at), spend.counts_at
    FROM ledger AS spend JOIN jobs ON jobs.id = spend.job_id
    WHERE spend.job_id = NEW.job_id AND spend.kind = 'spend' AND -spend.amount / jobs.images > 0;
END;

-- One row: the name by which the folder of picture files knows whose it is (db/picture_folder.py).
CREATE TABLE picture_folder (owner TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
INSERT INTO picture_folder (owner) VALUES (lower(hex(randomblob(16))));
