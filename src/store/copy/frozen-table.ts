import type { Database } from "bun:sqlite";

type Value = string | number | null;

interface Column {
  readonly name: string;
  readonly type: string;
  /** Its place in the primary key, from 1 on; 0 if it is not in it. */
  readonly pk: number;
}

/**
 * A table without row ids as it was when this was made, whatever the same connection writes to it afterwards: triggers
 * keep the rows that are about to change, in memory, until this is disposed of. There may be one for a table at a time.
 */
export class FrozenTable implements Disposable {
  readonly #database: Database;
  readonly #table: string;
  /** The rows that have changed, as they were, and the keys of rows that are new. */
  readonly #kept: string;
  readonly #columns: readonly Column[];
  readonly #key: readonly Column[];

  constructor(database: Database, table: string) {
    this.#database = database;
    this.#table = table;
    this.#kept = `kept_${table}`;
    this.#columns = database.query<Column, [string]>("select name, type, pk from pragma_table_info(?)").all(table);
    this.#key = this.#columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
    this.#freeze();
  }

  /**
   * The rows, at most this many at a time, as values in the order of the columns. The table may change in between; a
   * row that does may come twice, as it was.
   */
  *pages(rows: number): Generator<Value[][]> {
    yield* this.#pagesOf(`${this.#table} as row where ${this.#isUntouched("row")}`, rows);
    yield* this.#pagesOf(`${this.#kept} as row where row.existed`, rows);
  }

  [Symbol.dispose](): void {
    for (const when of ["insert", "update", "delete"]) this.#database.run(`drop trigger ${this.#kept}_${when}`);
    this.#database.run(`drop table temp.${this.#kept}`);
  }

  /**
   * `or ignore` would not do: the conflict clause of a statement that fires a trigger is that of the trigger, too. One
   * that replaces a row fires no trigger for its removal.
   */
  #freeze(): void {
    const [kept, table] = [this.#kept, this.#table];
    const [all, keys] = [this.#names(this.#columns), this.#names(this.#key)];
    const keep = (row: string) =>
      `insert into ${kept} select ${this.#names(this.#columns, row)}, 1 where ${this.#isUntouched(row)};`;
    const note = `insert into ${kept} (${keys}, existed) select ${this.#names(this.#key, "new")}, 0
       where ${this.#isUntouched("new")};`;
    const keepReplaced = `insert into ${kept} select ${this.#names(this.#columns, "row")}, 1 from ${table} as row
       where ${this.#isSame("row", "new")} and ${this.#isUntouched("new")};`;
    this.#database.run(`create temp table ${kept} (${all}, existed, primary key (${keys})) without rowid`);
    this.#onEach("insert", keepReplaced + note);
    this.#onEach("update", keep("old") + note);
    this.#onEach("delete", keep("old"));
  }

  #onEach(when: string, work: string): void {
    const trigger = `${this.#kept}_${when}`;
    this.#database.run(`create temp trigger ${trigger} before ${when} on main.${this.#table} begin ${work} end`);
  }

  *#pagesOf(from: string, rows: number): Generator<Value[][]> {
    const key = this.#names(this.#key, "row");
    using query = this.#database.prepare<unknown, Value[]>(
      `select ${this.#names(this.#columns, "row")} from ${from} and (${key}) > (${this.#key.map(() => "?")})
        order by ${key} limit ${rows}`,
    );
    let after: Value[] = this.#key.map(({ type }) => (type === "TEXT" ? "" : -1));
    for (;;) {
      const page = query.values(...after) as Value[][];
      const last = page.at(-1);
      if (last === undefined) return;
      yield page;
      after = this.#key.map((column) => last[this.#columns.indexOf(column)] ?? null);
    }
  }

  #names(columns: readonly Column[], row?: string): string {
    return columns.map(({ name }) => (row === undefined ? name : `${row}.${name}`)).join();
  }

  #isSame(one: string, other: string): string {
    return this.#key.map(({ name }) => `${one}.${name} = ${other}.${name}`).join(" and ");
  }

  #isUntouched(row: string): string {
    return `not exists (select 1 from ${this.#kept} as kept where ${this.#isSame("kept", row)})`;
  }
}
