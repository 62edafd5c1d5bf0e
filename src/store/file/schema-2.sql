-- Which node of a cluster serves the consumers: one row, or none if no node ever has. node names one run of a server, and
-- is empty if it has given the lease back. The number `consumer_lease` in meta is its revision: how often the lease was
-- taken, renewed or given back. checksum is that of "node,revision".
create table consumer_lease (
  node     text    primary key,
  checksum integer not null
) strict, without rowid;
