import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { faultsOf, noticesOf, verdictOf } from "../scripts/audit.mjs";

const ROOT = resolve(import.meta.dir, "..");
const manifest = JSON.parse(read("package.json"));
const lock = JSON.parse(read("package-lock.json"));
const sound = { version: "1.0.0", integrity: "sha512-x", license: "MIT" };

function faults(entry: object, version = "1.0.0"): string[] {
  return faultsOf({ dependencies: { a: version } }, { packages: { "": {}, "node_modules/a": { ...sound, ...entry } } });
}

describe("the audit of the packages", () => {
  test("finds nothing wrong with the installed ones", () => {
    expect(faultsOf(manifest, lock)).toEqual([]);
    expect(faults({})).toEqual([]);
  });

  test.each([
    ["a range", {}, "^1.0.0", "a is not pinned: ^1.0.0"],
    ["an address of a registry", { resolved: "https://example.org/a.tgz" }, "1.0.0", "a is locked to the address"],
    ["no hash", { integrity: undefined }, "1.0.0", "a is locked without a SHA-512"],
    ["a weak hash", { integrity: "sha1-x" }, "1.0.0", "a is locked without a SHA-512"],
    ["an install script", { hasInstallScript: true }, "1.0.0", "a has an install script"],
    ["a licence that is not allowed", { license: "AGPL-3.0" }, "1.0.0", "a has the licence AGPL-3.0"],
    ["no licence", { license: undefined }, "1.0.0", "a has the licence undefined"],
  ])("finds %s", (_, entry, version, words) => {
    expect(faults(entry, version)).toEqual([expect.stringContaining(words)]);
  });

  test("lets packages for development have other licences and scripts", () => {
    expect(faults({ dev: true, license: "MPL-2.0", hasInstallScript: true })).toEqual([]);
  });

  test("finds the vulnerabilities that are high or more", () => {
    const vulnerabilities = {
      a: { name: "a", severity: "moderate", range: "<2" },
      b: { name: "b", severity: "critical", range: "<3" },
    };
    expect(verdictOf(JSON.stringify({ vulnerabilities }))).toEqual({ faults: ["b <3 has a vulnerability: critical"] });
    expect(verdictOf(JSON.stringify({ vulnerabilities: {} }))).toEqual({ faults: [] });
  });

  test("does not take a missing response for a good one", () => {
    expect(verdictOf('{"message":"405 Method Not Allowed"}')).toEqual({ notAudited: "405 Method Not Allowed" });
    expect(verdictOf("")).toEqual({ notAudited: "npm answers with what is no JSON" });
  });

  test("names every production package and its licence", () => {
    expect(read("THIRD_PARTY_LICENSES")).toBe(noticesOf(lock, ROOT));
  });
});

function read(name: string): string {
  return readFileSync(join(ROOT, name), "utf8");
}
