-- Why a job ended is a code; the sentence is made where it is shown, in the language of whoever reads it.
ALTER TABLE jobs RENAME COLUMN outcome TO outcome_detail;
ALTER TABLE jobs ADD COLUMN outcome TEXT;

UPDATE jobs SET outcome = CASE
    WHEN outcome_detail IN ('Nothing was charged.', 'Cancelled; nothing was charged.') THEN 'cancelled'
    WHEN outcome_detail = 'A moderator took it back; nothing was charged.' THEN 'cancelled_by_moderator'
    WHEN outcome_detail = 'Replaced; nothing was charged.' THEN 'replaced'
    WHEN outcome_detail = 'This picture could not be painted; nothing was charged.' THEN 'failed'
    WHEN outcome_detail = 'A moderator decided not to show this picture.' THEN 'rejected'
    WHEN outcome_detail = 'This channel takes no adult pictures any more, so this one can''t be shown here.'
        THEN 'place_stricter'
    WHEN outcome_detail LIKE 'Something went wrong on our side; nothing was charged. If it happens again, %' THEN 'failed'
    ELSE 'said'
END
WHERE outcome_detail IS NOT NULL;

-- The reference of an unexpected failure is the last word of its old sentence; a code needs no sentence.
UPDATE jobs SET outcome_detail = CASE
    WHEN outcome = 'said' THEN outcome_detail
    WHEN outcome = 'failed' AND instr(outcome_detail, 'reference: ') > 0
        THEN rtrim(substr(outcome_detail, instr(outcome_detail, 'reference: ') + 11), '.')
    ELSE ''
END
WHERE outcome IS NOT NULL;
