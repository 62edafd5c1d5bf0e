import { afterEach, beforeEach, describe } from "bun:test";
import { describeAppending } from "./appending.contract.ts";
import { Bench, type OpenLog } from "./bench.ts";
import { agreesWithModel } from "./event-log.model.ts";
import { describeLifetime } from "./lifetime.contract.ts";
import { describeReading } from "./reading.contract.ts";

/** What the port promises, held against one implementer of it. */
export function describeEventLog(name: string, open: OpenLog): void {
  describe(`${name}, as an EventLog,`, () => {
    const bench = new Bench(open);
    beforeEach(() => bench.setUp());
    afterEach(() => bench.tearDown());

    describeAppending(bench);
    describeReading(bench);
    describeLifetime(bench);
    agreesWithModel(open);
  });
}
