import { Database } from "bun:sqlite";
import { SCHEMA_VERSION } from "../../../src/store/file/sqlite.ts";

/** By version: what takes from a file of the next one what that brought. */
const STEPS_BACK: Readonly<Record<number, readonly string[]>> = {
  1: ["drop table token", "delete from meta where name = 'tokens'"],
  2: ["drop table tail"],
  3: [
    "alter table posting rename to by_segment",
    `create table posting (
       series_id integer not null,
       segment   integer not null,
       previous  integer not null,
       checksum  integer not null,
       offsets   blob    not null,
       primary key (series_id, segment)
     ) strict, without rowid`,
    "insert into posting select series_id, segment, previous, checksum, offsets from by_segment",
    "drop table by_segment",
  ],
  4: ["alter table series drop column end_checksum"],
  5: ["update series set count = (select count(*) from event where series_id = series.id and event.id <= last_id)"],
};

/** Makes of a closed history one of an older schema, as an older program would have left it. */
export function makeOlder(path: string, version: number): void {
  using database = new Database(path);
  for (let step = SCHEMA_VERSION - 1; step >= version; step--) {
    for (const sql of STEPS_BACK[step] ?? []) database.run(sql);
  }
  database.run(`pragma user_version = ${version}`);
}
