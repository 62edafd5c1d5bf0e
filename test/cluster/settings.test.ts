import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { clusterSettingsOf } from "../../src/cluster/settings.ts";
import { readConfig } from "../../src/config.ts";
import { TempFolder } from "../helpers/temp.ts";

const CLUSTER = { cluster: ["nats://a:4222"] };

test("without --cluster there is no cluster", () => {
  expect(clusterSettingsOf(readConfig({}, {}))).toBeUndefined();
});

test.each([
  [{ clusterToken: "t" }, "--cluster-token requires --cluster"],
  [{ clusterCreds: "f" }, "--cluster-creds requires --cluster"],
  [{ clusterTlsCa: "f" }, "--cluster-tls-ca requires --cluster"],
  [{ clusterMonitor: ["http://a"] }, "--cluster-monitor requires --cluster"],
  [{ ...CLUSTER, db: ":memory:" }, "--cluster requires a history file"],
  [{ ...CLUSTER, clusterCreds: "f", clusterToken: "t" }, "--cluster-creds and --cluster-token are mutually exclusive"],
  [{ ...CLUSTER, clusterTlsCert: "f" }, "--cluster-tls-cert requires --cluster-tls-key"],
  [{ ...CLUSTER, clusterTlsKey: "f" }, "--cluster-tls-key requires --cluster-tls-cert"],
  [{ ...CLUSTER, clusterCreds: "/no/creds" }, "--cluster-creds /no/creds cannot be read: there is no such file"],
  [{ ...CLUSTER, clusterTlsCa: "/" }, "--cluster-tls-ca / cannot be read: it is a folder"],
])("%j is rejected", (overrides, words) => {
  expect(() => clusterSettingsOf({ ...readConfig({}, {}), ...overrides })).toThrow(words);
});

test("TLS is used when a URL or an authority asks for it", () => {
  using folder = new TempFolder();
  const ca = folder.file("ca.pem");
  writeFileSync(ca, "");
  const tlsOf = (overrides: object) => clusterSettingsOf({ ...readConfig({}, {}), ...CLUSTER, ...overrides })?.tls;
  expect(tlsOf({})).toBeUndefined();
  expect(tlsOf({ cluster: ["nats://a", "tls://b"] })).toBeDefined();
  expect(tlsOf({ clusterTlsCa: ca })).toMatchObject({ caFile: ca });
});
