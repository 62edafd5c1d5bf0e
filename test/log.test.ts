import { expect, test } from "bun:test";
import { onChange } from "../src/log.ts";

test("a reason is reported when it is another one than before", () => {
  const reported: string[] = [];
  const report = onChange((reason) => reported.push(reason));
  for (const reason of ["refused", "refused", "timeout", "refused", "refused"]) report(reason);
  expect(reported).toEqual(["refused", "timeout", "refused"]);
});
