-- The history of an event bus. Times are milliseconds since 1970, UTC.
-- For people: `select * from events` and `select * from topics`.

-- A topic and a source that events share. count tells how many of its events up to last_id are kept; later ones
-- are counted when the file is opened.
create table series (
  id      integer primary key,
  topic   text    not null,
  source  text    not null,
  count   integer not null,
  last_id integer not null,
  unique (topic, source)
) strict;

-- Ids are given by the program, one after another without a hole. checksum is the CRC-32 of the event's JSON
-- as every reader gets it: {"id":…,"topic":…,"data":…,"source":…,"created_at":…}.
create table event (
  id         integer primary key,
  series_id  integer not null,
  created_at integer not null,
  checksum   integer not null,
  data       text    not null
) strict;

-- Which events of a segment (65,536 consecutive ids) belong to a series: their offsets in the segment, ascending,
-- as little-endian 16-bit numbers. checksum is the CRC-32 of "series_id,segment," and those bytes.
create table posting (
  series_id integer not null,
  segment   integer not null,
  checksum  integer not null,
  offsets   blob    not null,
  primary key (series_id, segment)
) strict, without rowid;

-- What a repeated publish is recognised by. fingerprint is the SHA-256 of what was published.
create table idempotency_key (
  key         text    primary key,
  fingerprint blob    not null,
  first_id    integer not null,
  created_at  integer not null
) strict, without rowid;
create index idempotency_key_by_time on idempotency_key (created_at);

-- pruned_to, pruned_at: id and time of the newest event ever removed, so that neither comes again.
-- indexed_to: the last id whose segment stands in posting.
create table meta (
  name  text    primary key,
  value integer not null
) strict, without rowid;
insert into meta (name, value) values ('pruned_to', 0), ('pruned_at', 0), ('indexed_to', 0);

create view events as
  select event.id, series.topic, event.data, series.source,
         strftime('%Y-%m-%dT%H:%M:%fZ', event.created_at / 1000.0, 'unixepoch') as created_at
    from event join series on series.id = event.series_id;

create view topics as
  select topic, count(*) as count, max(event.id) as last_id,
         strftime('%Y-%m-%dT%H:%M:%fZ', max(event.created_at) / 1000.0, 'unixepoch') as last_at
    from event join series on series.id = event.series_id
   group by topic;
