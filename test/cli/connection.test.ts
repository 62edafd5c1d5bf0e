import { expect, test } from "bun:test";
import { connectTo, wholeNumber } from "../../src/cli/connection.ts";

test("an empty variable counts as unset", () => {
  expect(connectTo({ url: "", token: "" }).url).toBe("http://127.0.0.1:9800");
});

test("a whole number is decimal digits, within its range", () => {
  const parse = wholeNumber(1, 100);
  expect(["1", "007", "100"].map(parse)).toEqual([1, 7, 100]);
  for (const text of ["", "0", "101", "-1", "1.0", "1e1", "0x1", " 1", "99999999999999999999"]) {
    expect(() => parse(text)).toThrow("It must be a whole number from 1 to 100.");
  }
});
