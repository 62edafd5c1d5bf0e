-- The index of a series ends with its last_id: a number that is too small would hide events. end_checksum is that of
-- "id,last_id", and -1 where last_id is known to be damaged.
alter table series add column end_checksum integer not null default -1;
