import type { ChangeSource } from "../../src/bus/consumers/ports.ts";
import type { SqliteEventLog } from "../../src/store/event-log.ts";

/**
 * Writes rows into every table that publishing leaves empty: a token, a writer of a cluster, which serves
 * the consumers, and two of these.
 */
export function fillSmallTables(log: SqliteEventLog): void {
  log.tokens.add({
    name: "t",
    hash: "00",
    publish: [],
    subscribe: ["*"],
    consume: [],
    isAdmin: true,
    isMonitor: true,
    createdMs: 1,
    expiresMs: 2,
  });
  const changes = [{ kind: "claimConsumers", revision: 0 }] as const;
  log.adopt([{ node: "a", number: 1, atMs: 1, changes }], { sequence: 1, createdS: 1, createdNs: 1 });
  log.consumers.attach(someConsumers);
  log.consumers.save();
}

/** Changes that make two consumers, one of them with rows of each kind. */
const someConsumers: ChangeSource = {
  changes: () => {
    const state = {
      name: "c",
      settings: '{"pattern":["*"]}',
      place: 50,
      isPaused: false,
      lastError: "no",
      gaps: 1,
      secrets: "[]",
    };
    const task = { row: 1, id: 30, gap: undefined, lane: "orders.0", laneFrom: 30, isDead: false };
    const row = { ...task, attempts: 1, atMs: 1000, reason: "no" };
    const put = [row, { ...row, row: 2, isDead: true }, { ...row, row: 3, gap: { after: 29, next: 40 } }];
    return [
      { name: "c", state, put, removed: [] },
      { name: "d", state: { ...state, name: "d" }, put: [], removed: [] },
    ];
  },
  saved: () => {},
};
