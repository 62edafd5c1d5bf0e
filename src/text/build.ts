import packageJson from "../../package.json" with { type: "json" };

/** Set when the program is compiled: the commit, and the platform that it is for. */
declare const EVENTBUS_COMMIT: string | undefined;
declare const EVENTBUS_TARGET: string | undefined;

/** What the program was built from, and for what. */
export const build = {
  version: packageJson.version,
  /** Null if it was not built in a clone. */
  commit: typeof EVENTBUS_COMMIT === "string" && EVENTBUS_COMMIT !== "" ? EVENTBUS_COMMIT : null,
  target: typeof EVENTBUS_TARGET === "string" ? EVENTBUS_TARGET : `${process.platform}-${process.arch}`,
  bun: Bun.version,
} as const;
