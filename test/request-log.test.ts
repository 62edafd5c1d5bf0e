import { expect, test } from "bun:test";
import pino from "pino";
import { Meter } from "../src/bus/meter.ts";
import { requestLog } from "../src/request-log.ts";

const MOMENT = 5;
const LONG = 1500;
const PATH = "/api/events/history";
const PRUNE = "/api/events/prune";
const TAKE = "/api/consumers/:name/take";

test.each<[status: number, route: string, durationMs: number, isEach: boolean, lines: string[]]>([
  [200, PATH, MOMENT, false, []],
  [200, PATH, MOMENT, true, ["info request"]],
  [404, PATH, MOMENT, false, ["info refused"]],
  [404, PATH, MOMENT, true, ["info request"]],
  [499, PATH, LONG, false, []],
  [499, PATH, LONG, true, ["info request"]],
  [503, PATH, MOMENT, false, ["warn refused"]],
  [503, PATH, LONG, false, ["warn refused"]],
  [503, PATH, LONG, true, ["warn request"]],
  [200, PATH, LONG, false, ["warn slow request"]],
  [200, PATH, LONG, true, ["warn request"]],
  [200, PRUNE, LONG, false, []],
  [200, TAKE, LONG, false, []],
  [503, TAKE, LONG, false, ["warn refused"]],
])(
  "status %d at %s after %d ms, each request logged: %p, is logged as %p",
  (status, route, durationMs, isEach, lines) => {
    const written: string[] = [];
    const log = pino({}, { write: (line: string) => void written.push(line) });
    const request = new Request(`http://localhost${route}`);
    const answered = { method: "GET", path: route, route, status, durationMs, request };
    requestLog(log, new Meter(), isEach, () => "192.0.2.1")(answered);
    const parsed = written.map((line) => JSON.parse(line));
    expect(parsed.every(({ address }) => address === "192.0.2.1")).toBe(true);
    const shown = parsed.map(({ level, msg }) => `${pino.levels.labels[level]} ${msg}`);
    expect(shown).toEqual(lines);
  },
);
