import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { BusError } from "../../../src/bus/errors.ts";
import { FileError, openError, writeError } from "../../../src/store/file/open-error.ts";
import { TempFolder } from "../../helpers/temp.ts";

function errorOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing failed");
}

describe("a file that cannot be opened or written is reported with what to do, when", () => {
  test("the disk is full", () => {
    using database = new Database(":memory:");
    database.run("pragma max_page_count = 1");
    const error = errorOf(() => database.run("create table a (b)"));
    expect(openError("bus.db", error).message).toBe("bus.db cannot be opened: the disk is full; make space on it");
    expect(writeError("bus.db", error)).toMatchObject({
      message: "bus.db cannot be written: the disk is full; make space on it",
    });
  });

  test("it is read-only", () => {
    using folder = new TempFolder();
    const path = folder.file("bus.db");
    new Database(path, { create: true }).close();
    using database = new Database(path, { readonly: true });
    const error = errorOf(() => database.run("create table a (b)"));
    expect(openError(path, error).message).toBe(`${path} cannot be opened: this user may not write to it`);
  });

  test("its folder is missing", () => {
    const path = "/no/such/bus.db";
    const error = errorOf(() => writeFileSync(path, ""));
    expect(writeError(path, error)).toMatchObject({
      message: `${path} cannot be written: there is no folder /no/such`,
    });
  });

  test("its error was reported before, and keeps its text", () => {
    const error = openError("bus.db", new Error("odd"));
    expect(writeError("copy.db", error)).toBe(error);
    expect(openError("copy.db", error)).toBe(error);
  });

  test("its error only happens to begin with the name of the file", () => {
    const error = openError("its", new BusError("unavailable", "its newest events are damaged"));
    expect(error).toBeInstanceOf(FileError);
    expect(error.message).toBe("its cannot be opened: its newest events are damaged");
  });
});
