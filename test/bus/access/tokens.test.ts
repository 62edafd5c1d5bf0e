import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { openGate } from "../../helpers/gate.ts";
import { permissions } from "../../helpers/permissions.ts";

const name = fc.string({ unit: fc.constantFrom("a", "B", "1", "-", "."), minLength: 1, maxLength: 3 });
const names = fc.uniqueArray(
  name.filter((text) => /^[a-z\d]/i.test(text)),
  { minLength: 1, maxLength: 20 },
);

describe("the tokens", () => {
  test("are listed by name, in whatever order they are made and revoked", async () => {
    await fc.assert(
      fc.asyncProperty(names, fc.array(fc.nat()), async (made, revoked) => {
        const { tokens } = openGate();
        for (const one of ["root", ...made]) {
          await tokens.create({ ...permissions, name: one, isAdmin: true });
        }
        const kept = new Set(made);
        for (const which of revoked) {
          const one = made[which % made.length] ?? "";
          if (kept.delete(one)) await tokens.revoke(one);
        }
        expect(tokens.list().map((record) => record.name)).toEqual(["root", ...kept].sort());
      }),
    );
  });
});
