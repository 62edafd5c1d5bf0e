import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { environmentName, type FileValues, fileKey, type Key, resolveConfig, settings } from "../src/config.ts";
import { readConfigFile } from "../src/config-file.ts";
import { printConfig } from "../src/config-print.ts";
import type { Setting } from "../src/setting-kinds.ts";
import { runBinary } from "./helpers/binary.ts";
import { TempFolder } from "./helpers/temp.ts";

const rows = Object.entries(settings) as [Key, Setting<unknown>][];

/** Three different texts that are valid for a setting of this unit. */
function texts({ unit, isRepeatable }: Setting<unknown>): [string, string, string] {
  if (unit === "origin") return ["http://a.example", "http://b.example", "http://c.example"];
  if (unit === "nats-url") return ["nats://a:1", "tls://b", "nats://[::1]:3"];
  if (unit === "http-url") return ["http://a:1", "https://b", "http://c:3"];
  if (unit === "cidr") return ["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"];
  if (isRepeatable) return ["a.example", "b.example", "c.example"];
  if (unit === undefined) return ["true", "false", "true"];
  if (unit === "number") return ["1", "2", "3"];
  if (unit === "size") return ["11MiB", "12MiB", "13MiB"];
  if (unit === "duration") return ["11s", "12s", "13s"];
  const [first = "", second = first, third = first] = unit.includes("|") ? unit.split("|") : ["a", "b", "c"];
  return [first, second, third];
}

/** The text as a value of TOML for this setting. */
function toml(setting: Setting<unknown>, text: string): string {
  if (setting.isRepeatable) return JSON.stringify([text]);
  return setting.unit === undefined || setting.unit === "number" ? text : JSON.stringify(text);
}

function fileOf(content: string): FileValues {
  using folder = new TempFolder();
  const path = folder.file("eventbus.toml");
  writeFileSync(path, content);
  return readConfigFile(path);
}

describe("a flag overrides the environment, which overrides the file, which overrides the default:", () => {
  for (const [key, setting] of rows) {
    test(setting.flag, () => {
      const [inFlag, inEnvironment, inFile] = texts(setting);
      const flags = { [setting.flag]: [inFlag] };
      const environment = { [environmentName(setting)]: inEnvironment };
      const file = fileOf(`${fileKey(setting)} = ${toml(setting, inFile)}\n`);
      const outcomes = [
        resolveConfig(flags, environment, file),
        resolveConfig({}, environment, file),
        resolveConfig({}, {}, file),
        resolveConfig({}, {}),
      ].map(({ config, origins }): unknown[] => [config[key], origins[key]]);
      expect<unknown>(outcomes).toEqual([
        [setting.parse(inFlag), "flag"],
        [setting.parse(inEnvironment), "environment"],
        [setting.parse(inFile), "file"],
        [setting.default, "default"],
      ]);
    });
  }
});

describe("a configuration file is rejected", () => {
  test.each([
    ["max-histroy = 1", "the key max-histroy is not known: did you mean max-history?"],
    ["[server]\nport = 1", "the key server is not known"],
    ['port = "9800"', "port must be a whole number, not a string"],
    ["port = 1.5", "port must be a whole number from 0 to 65535"],
    ["port = 99999", "port must be a whole number from 0 to 65535"],
    ["db = 5", "db must be a string, not the number 5"],
    ["max-age = 10", 'max-age must be a string such as "30s", not the number 10'],
    ["max-age = 2020-01-01", "not a date"],
    ["allow-anonymous = 1", "allow-anonymous must be true or false, not the number 1"],
    ["allowed-origin = [1]", "allowed-origin must be an array of strings"],
    ["durability = { a = 1 }", "durability must be a string, not a table"],
    [
      'allowed-origin = ["https://a.example/", "*"]',
      "allowed-origin must be an origin such as https://app.example.com",
    ],
    ['allowed-origin = ["app.example.com"]', "scheme, host and port"],
    ['allowed-origin = ["https://a.example/app"]', "no path"],
    ['allowed-host = ["bus.example:9800"]', "allowed-host must be a name or an address such as bus.example.com"],
    ['allowed-host = ["http://bus.example"]', "without a scheme"],
    ['cluster = ["a.example:4222"]', "cluster must be URLs such as nats://a.example:4222,nats://b.example:4222"],
    ['cluster = ["http://a.example:4222"]', "cluster must be URLs such as nats://"],
    ['cluster = ["nats://a.example/x"]', "without a path"],
    ['cluster = ["nats://user:secret@a.example"]', "cluster must not contain a user or a password"],
    ['cluster-name = "a.b"', "cluster-name must be 1 to 64 letters, digits, - or _"],
    ['cluster-monitor = ["nats://a.example"]', "cluster-monitor must be URLs such as http://"],
    ["cluster-replicas = 6", "cluster-replicas must be a whole number from 1 to 5"],
    ["port = 1\nport = 2", "line 2"],
    ["port =", "is not TOML: line 1, column"],
  ])("%p", (content, words) => {
    expect(() => resolveConfig({}, {}, fileOf(content))).toThrow(words);
  });

  test("that does not exist", () => {
    expect(() => readConfigFile("/no/such/eventbus.toml")).toThrow(
      "--config /no/such/eventbus.toml cannot be read: there is no such file",
    );
  });
});

test("a file may give sizes as numbers, and turn a rule off", () => {
  const { config } = resolveConfig({}, {}, fileOf('max-body = 2048\nmax-history = "off"\nallowed-host = []\n'));
  expect(config).toMatchObject({ maxBody: 2048, maxHistory: undefined, allowedHosts: [] });
});

test("variables of a container or a Service called eventbus are ignored", () => {
  const environment = {
    EVENTBUS_PORT: "tcp://10.0.0.1:9800",
    EVENTBUS_PORT_9800_TCP_ADDR: "10.0.0.1",
    EVENTBUS_SERVICE_HOST: "10.0.0.1",
    EVENTBUS_SERVICE_PORT_HTTP: "9800",
    EVENTBUS_NAME: "/web/eventbus",
    EVENTBUS_ENV_PATH: "/usr/bin",
  };
  const { config, passedOver } = resolveConfig({}, { ...environment, EVENTBUS_DB: "other.db" });
  expect(config).toMatchObject({ port: 9800, db: "other.db" });
  expect(passedOver).toEqual(Object.keys(environment));
  expect(resolveConfig({}, { EVENTBUS_PORT: "7" }).config.port).toBe(7);
});

test("origins are kept as browsers send them", () => {
  const { config } = resolveConfig({ "--allowed-origin": ["https://App.example:443/", "http://[::1]:80,app://x"] }, {});
  expect(config.allowedOrigins).toEqual(["https://app.example", "http://[::1]", "app://x"]);
});

test("secrets are masked when the configuration is printed", () => {
  const resolved = resolveConfig({ "--db": ["/secret/place"] }, {});
  const table: Record<string, Setting<unknown>> = settings;
  const { db } = settings;
  try {
    table["db"] = { ...db, isSecret: true };
    expect(printConfig(resolved)).toMatch(/^db +\*{8} +flag$/m);
    expect(printConfig(resolved)).not.toContain("/secret/place");
  } finally {
    table["db"] = db;
  }
});

describe("the binary", () => {
  test("shows each value and where it comes from", async () => {
    using folder = new TempFolder();
    writeFileSync(folder.file("bus.toml"), 'max-history = 7\nport = 1\nallowed-host = ["a.example"]\n');
    const args = ["serve", "--print-config", "--config", "bus.toml", "--port", "3"];
    const env = { EVENTBUS_PORT: "2", EVENTBUS_MAX_AGE: "1h" };
    const { exitCode, stdout, stderr } = await runBinary(args, { folder: folder.path, env });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/^port +3 +flag$/m);
    expect(stdout).toMatch(/^max-age +3600000ms +environment$/m);
    expect(stdout).toMatch(/^max-history +7 +file$/m);
    expect(stdout).toMatch(/^allowed-host +a\.example +file$/m);
    expect(stdout).toMatch(/^durability +fsync +default$/m);
    expect(stdout.trim().split("\n")).toHaveLength(rows.length);
  });

  test("finds its file by EVENTBUS_CONFIG, and reports a bad one as wrong usage", async () => {
    using folder = new TempFolder();
    writeFileSync(folder.file("bus.toml"), "prot = 1\n");
    const { exitCode, stderr } = await runBinary([], { folder: folder.path, env: { EVENTBUS_CONFIG: "bus.toml" } });
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: "eventbus: bus.toml: the key prot is not known: did you mean port?\n",
    });
  });

  test("names every setting in its help", async () => {
    const { stdout } = await runBinary(["serve", "--help"]);
    for (const [, setting] of rows) expect(stdout).toContain(`${setting.flag} `);
    for (const flag of ["--config <file>", "--print-config"]) expect(stdout).toContain(flag);
  });
});

test("the manual names every setting", () => {
  const manual = readFileSync(join(import.meta.dir, "../docs/operations.md"), "utf8");
  expect(rows.filter(([, { flag }]) => !manual.includes(`\`${flag}\``)).map(([, { flag }]) => flag)).toEqual([]);
});
