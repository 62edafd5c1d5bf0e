import { expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { isOutOfRoom } from "../../../src/store/disk/room.ts";
import { testOnSmallDisk } from "../../helpers/small-disk.ts";
import { TempFolder } from "../../helpers/temp.ts";

test("there is room on a disk that takes a large commit, and nothing is left behind", () => {
  using folder = new TempFolder();
  expect(isOutOfRoom(folder.file())).toBe(false);
  expect(readdirSync(folder.path)).toEqual([]);
});

testOnSmallDisk(20, "there is no room on a disk that is too full for one, and nothing is left behind", async (disk) => {
  writeFileSync(disk.file("other"), Buffer.alloc(8 * 1024 * 1024));
  expect(isOutOfRoom(disk.file())).toBe(true);
  expect(readdirSync(disk.folder)).toEqual(["other"]);
});

test("a folder that cannot be written to says nothing about room", () => {
  using folder = new TempFolder();
  expect(isOutOfRoom(folder.file("none/history.db"))).toBe(false);
});
