-- Whose the newest events are, those that are not in posting yet: the series ids of consecutive events from first_id on,
-- as little-endian 32-bit numbers. A row comes with the event that completes it and goes when its segment is written to
-- posting. Opening is faster with it; where a row is missing, the events themselves are read. checksum is that of
-- "first_id," and the series ids.
create table tail (
  first_id integer primary key,
  series   blob    not null,
  checksum integer not null
) strict;
