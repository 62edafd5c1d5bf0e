-- The history of an event bus. Times are milliseconds since 1970, UTC.
-- For people: `select * from events` and `select * from topics`.
-- Every table has a checksum a row, as SQLite itself does not notice most flipped bits. All of them are CRC-32.

-- A topic and a source that events share. count tells how many of its ids up to last_id stand in posting, or, in a
-- file of a schema before 6, how many of those are kept; later ones are counted when the file is opened. checksum is
-- that of {"id":…,"topic":…,"source":…}.
create table series (
  id       integer primary key,
  topic    text    not null,
  source   text    not null,
  checksum integer not null,
  count    integer not null,
  last_id  integer not null
) strict;

-- Ids are given by the program, one after another without a hole. checksum is that of the event's JSON as every
-- reader gets it: {"id":…,"topic":…,"data":…,"source":…,"created_at":…}. head_checksum is that of id, series_id and
-- created_at as little-endian 64-bit floating-point numbers: with it an event is found by topic or time without
-- reading its data.
create table event (
  id            integer primary key,
  series_id     integer not null,
  created_at    integer not null,
  head_checksum integer not null,
  checksum      integer not null,
  data          text    not null
) strict;

-- Which events of a segment (consecutive ids, as many as segment_size tells) belong to a series: their offsets in the
-- segment, ascending, as little-endian 16-bit numbers. previous is the segment of the posting of the same series
-- before this one, -1 for the first, so that one that is missing is noticed. checksum is that of
-- "series_id,segment,previous," and the offsets.
create table posting (
  series_id integer not null,
  segment   integer not null,
  previous  integer not null,
  checksum  integer not null,
  offsets   blob    not null,
  primary key (series_id, segment)
) strict, without rowid;

-- What a repeated publish is recognised by. fingerprint is the SHA-256 of what was published; checksum is that of
-- "first_id,created_at,key," and the fingerprint.
create table idempotency_key (
  key         text    primary key,
  fingerprint blob    not null,
  first_id    integer not null,
  created_at  integer not null,
  checksum    integer not null
) strict, without rowid;
create index idempotency_key_by_time on idempotency_key (created_at);

-- segment_size: ids of a segment.
-- pruned_to, pruned_at: id and time of the newest event ever removed, so that neither comes again.
-- indexed_to: the last id whose segment stands in posting.
-- head: an id that was given; the newest one if the file was closed properly.
-- checksum is that of "name=value".
create table meta (
  name     text    primary key,
  value    integer not null,
  checksum integer not null
) strict, without rowid;

create view events as
  select event.id, series.topic, event.data, series.source,
         strftime('%Y-%m-%dT%H:%M:%fZ', event.created_at / 1000.0, 'unixepoch') as created_at
    from event join series on series.id = event.series_id;

create view topics as
  select topic, count(*) as count, max(event.id) as last_id,
         strftime('%Y-%m-%dT%H:%M:%fZ', max(event.created_at) / 1000.0, 'unixepoch') as last_at
    from event join series on series.id = event.series_id
   group by topic;
