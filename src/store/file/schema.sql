-- The history of an event bus. Times are milliseconds since 1970, UTC.
-- For people: `select * from events` and `select * from topics`.
-- Every table has a checksum a row, as SQLite itself does not notice most flipped bits. All of them are CRC-32.

-- A topic and a source that events share. checksum is that of {"id":…,"topic":…,"source":…}.
create table series (
  id       integer primary key,
  topic    text    not null,
  source   text    not null,
  checksum integer not null
) strict;
create unique index series_by_topic on series (topic, source);
create index series_by_source on series (source, topic);

-- The newest event of each series: 500 series a row, from the series first_id on, as little-endian 64-bit
-- floating-point numbers. It is exact for every series whose newest event is up to ends_to; of events after that,
-- opening reads the heads. A row that is missing stands for 500 zeros. A series that is gone has 0, or an event up to
-- pruned_to. checksum is that of "first_id," and the numbers.
create table series_end (
  first_id integer primary key,
  ends     blob    not null,
  checksum integer not null
) strict;

-- Ids are assigned by the program, one after another without a gap. The events of a series are a chain:
-- previous  the event of the same series before this one; 0 for the first;
-- depth     how many of its series came before it;
-- skip      an event far before it, by the rule of skew-binary lists (Myers 1983, "An applicative random-access stack");
--           its depth follows from the depth of this one. 0 where there is none, or it had been pruned already.
-- What previous and skip name may have been pruned since. checksum is that of the event's JSON as every reader gets
-- it: {"id":…,"topic":…,"data":…,"source":…,"created_at":…}. head_checksum is that of id, series_id, created_at,
-- previous, skip and depth as little-endian 64-bit floating-point numbers: with it an event is found without reading
-- its data.
create table event (
  id            integer primary key,
  series_id     integer not null,
  created_at    integer not null,
  previous      integer not null,
  skip          integer not null,
  depth         integer not null,
  head_checksum integer not null,
  checksum      integer not null,
  data          text    not null
) strict;

-- What a repeated publish is recognised by, in the order in which the keys came: new ones are appended, and the oldest
-- are removed. Of rows with the same key the last one counts. fingerprint is the SHA-256 of what was published;
-- checksum is that of "id,first_id,created_at,key," and the fingerprint.
create table idempotency_key (
  id          integer primary key,
  key         text    not null,
  fingerprint blob    not null,
  first_id    integer not null,
  created_at  integer not null,
  checksum    integer not null
) strict;

-- Who may do what. hash is the SHA-256 of the token's secret, which is kept nowhere. publish, subscribe and consume are
-- JSON arrays of patterns; expires_at is null for a token that stays valid. checksum is that of
-- ["name","hash in hexadecimal","publish","subscribe","consume",admin,monitor,created_at,expires_at].
-- The number `tokens` in meta counts the rows, so that losing a row does not open the bus to all.
create table token (
  name       text    primary key,
  hash       blob    not null,
  publish    text    not null,
  subscribe  text    not null,
  consume    text    not null,
  admin      integer not null,
  monitor    integer not null,
  created_at integer not null,
  expires_at integer,
  checksum   integer not null
) strict, without rowid;

-- Of each node of a cluster, the number and the time of the last entry that was adopted, so that none is adopted twice.
-- node names one run of a server. checksum is that of "node,number,last_at".
create table entry_writer (
  node     text    primary key,
  number   integer not null,
  last_at  integer not null,
  checksum integer not null
) strict, without rowid;

-- Names under which the server keeps a place. settings is a JSON object. Every event up to place is acknowledged, does
-- not match, or has a row in consumer_delivery; deliveries counts these rows. last_error is empty if nothing has failed;
-- gaps counts those that were delivered. secrets is a JSON array of what signs its webhooks. checksum is that of the
-- other columns in their order, as a JSON array.
-- The number `consumers` in meta counts the rows.
create table consumer (
  name       text    primary key,
  settings   text    not null,
  place      integer not null,
  paused     integer not null,
  last_error text    not null,
  gaps       integer not null,
  secrets    text    not null,
  deliveries integer not null,
  checksum   integer not null
) strict, without rowid;

-- Deliveries that are out for long, wait for another attempt, or were given up (dead). event_id is the event, or the
-- first missing id of a gap that ends before gap_next, which is 0 for an event. lane is the topic if the order is by
-- topic; the events of that topic after lane_from are due after this one, unless it is 0. attempts counts those that
-- have failed, reason is why the last one did, and at is when the next one is due, or when the event was given up.
-- checksum is that of the other columns in their order, as a JSON array.
create table consumer_delivery (
  consumer  text    not null,
  id        integer not null,
  event_id  integer not null,
  gap_next  integer not null,
  lane      text    not null,
  lane_from integer not null,
  dead      integer not null,
  attempts  integer not null,
  at        integer not null,
  reason    text    not null,
  checksum  integer not null,
  primary key (consumer, id)
) strict, without rowid;

-- pruned_to, pruned_at: id and time of the newest event ever removed, so that neither comes again.
-- ends_to: series_end is exact up to this event.
-- head: an id that was assigned; the newest one if the file was closed properly.
-- tokens: how many tokens there are.
-- writers: how many nodes entry_writer has.
-- prune_to: events up to this one are to be removed, as a cluster has decided.
-- consumers: how many consumers there are.
-- stream_place, stream_created_s, stream_created_ns: the place in the stream of a cluster up to which the history
-- has it, and when that stream was created (seconds since 1970, and nanoseconds); 0 for none.
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
