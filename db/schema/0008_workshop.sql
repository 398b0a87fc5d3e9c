-- Which picture of its parent a job paints on from, counted from 1 as people see them.
ALTER TABLE jobs ADD COLUMN parent_number INTEGER CHECK (parent_number IS NULL OR parent_number BETWEEN 1 AND 4);
