-- The index by segment, not by series: a segment that is full is then appended to it, and one that is gone is its
-- beginning. What a row says, and its checksum, stay as they were.
alter table posting rename to posting_by_series;

create table posting (
  segment   integer not null,
  series_id integer not null,
  previous  integer not null,
  checksum  integer not null,
  offsets   blob    not null,
  primary key (segment, series_id)
) strict, without rowid;

insert into posting
  select segment, series_id, previous, checksum, offsets from posting_by_series order by segment, series_id;

drop table posting_by_series;
