-- Who may do what. hash is the SHA-256 of the token's secret, which is kept nowhere. publish and subscribe are JSON
-- arrays of patterns; times are milliseconds since 1970, and expires_at is null for a token that stays valid. checksum is
-- that of ["name","hash in hexadecimal","publish","subscribe",admin,created_at,expires_at].
-- The number `tokens` in meta counts the rows, so that one which is lost does not open the bus to everybody.
create table token (
  name       text    primary key,
  hash       blob    not null,
  publish    text    not null,
  subscribe  text    not null,
  admin      integer not null,
  created_at integer not null,
  expires_at integer,
  checksum   integer not null
) strict, without rowid;
