import { afterAll, beforeAll } from "bun:test";
import pino from "pino";
import type { Bus } from "../../src/bus/bus.ts";
import { type Config, readConfig } from "../../src/config.ts";
import { Service } from "../../src/service.ts";
import { TempFolder } from "./temp.ts";

/** The service in this process: a real port, a real file. */
export interface TestService extends AsyncDisposable {
  /** `http://127.0.0.1:…`, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  readonly bus: Bus;
  /** Stops the service as SIGTERM does; may be called twice. */
  stop(): Promise<void>;
  /** Lines logged as errors. What a test does not take out of it by its end fails the test. */
  readonly errors: string[];
}

/** Starts the service on a free port and a file of its own; both go when it is disposed of. */
export async function startService(overrides: Partial<Config> = {}): Promise<TestService> {
  const folder = new TempFolder();
  const errors: string[] = [];
  const log = pino({ level: "error" }, { write: (line: string) => void errors.push(line) });
  const config = { ...readConfig({}, {}), port: 0, db: folder.file("eventbus.db"), ...overrides };
  const onFailure = () => void errors.push("the history failed");
  const service = new Service({ config, log, version: "0.0.0-test", onFailure });
  return {
    url: service.url,
    port: Number(new URL(service.url).port),
    bus: service.bus,
    stop: () => service.stop(),
    errors,
    async [Symbol.asyncDispose]() {
      await service.stop();
      folder[Symbol.dispose]();
      if (errors.length > 0) throw new Error(`the service logged errors:\n${errors.join("")}`);
    },
  };
}

/** One service for all tests of a file, or of a `describe` when it is called inside one. */
export function sharedService(overrides: Partial<Config> = {}): Omit<TestService, keyof AsyncDisposable | "stop"> {
  let started: TestService | undefined;
  const current = () => {
    if (started === undefined) throw new Error("the service starts before the first test, not before that");
    return started;
  };
  beforeAll(async () => {
    started = await startService(overrides);
  });
  afterAll(() => started?.[Symbol.asyncDispose]());
  return {
    get url() {
      return current().url;
    },
    get port() {
      return current().port;
    },
    get bus() {
      return current().bus;
    },
    get errors() {
      return current().errors;
    },
  };
}
