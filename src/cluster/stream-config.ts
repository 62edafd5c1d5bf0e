import type { StreamConfig } from "@nats-io/jetstream";

const MINUTE_NS = 60 * 1e9;
/** An entry is sent again with the same id for half a minute; the rest is for servers that are slow to agree. */
const DUPLICATE_WINDOW_NS = 10 * MINUTE_NS;
/**
 * How long entries stay in a new stream. A node that was away for longer starts from the copy of another one, so this
 * only has to exceed the usual outages.
 */
const MAX_AGE_NS = 3 * 24 * 60 * MINUTE_NS;
/** With less, a node that restarts could find that it was overtaken. */
const MIN_AGE_NS = 60 * MINUTE_NS;
const MIN_BYTES = 2 ** 30;
const MIN_ENTRIES = 100_000;

/** The one subject of the stream. Topics are inside the entries, as they may contain what a subject may not. */
export function subjectOf(name: string): string {
  return `${name}.entries`;
}

/** What a stream is created with. */
export function newStream(name: string, replicas: number): Partial<StreamConfig> & { name: string } {
  return {
    name,
    description: "The events of an eventbus cluster. Its nodes count every message: none may be removed but by age.",
    subjects: [subjectOf(name)],
    retention: "limits",
    storage: "file",
    discard: "old",
    num_replicas: replicas,
    max_age: MAX_AGE_NS,
    duplicate_window: DUPLICATE_WINDOW_NS,
    deny_delete: true,
    deny_purge: true,
    allow_rollup_hdrs: false,
    allow_direct: false,
  };
}

/** What a cluster needs of one member of the configuration. */
interface Need {
  readonly isMet: (config: StreamConfig) => boolean;
  /** What it is, as the server reports it. */
  readonly found: (config: StreamConfig) => string;
  readonly needed: string;
  /** How to change it; omitted: it cannot be changed. */
  readonly edit?: string;
}

/** Everything about a stream that does not fit a cluster, and how to change it; empty if everything fits. */
export function misfits(config: StreamConfig, replicas: number): readonly string[] {
  return needsOf(config.name, replicas)
    .filter(({ isMet }) => !isMet(config))
    .map(({ found, needed, edit }) => {
      const how = edit === undefined ? "cannot be changed: use another --cluster-name" : `nats stream edit ${edit}`;
      return `${found(config)}, but must be ${needed} (${how.replace("NAME", config.name)})`;
    });
}

function needsOf(name: string, replicas: number): readonly Need[] {
  return [
    exactly("retention", "limits"),
    exactly("storage", "file"),
    exactly(
      "num_replicas",
      replicas,
      `NAME --replicas ${replicas}, or give this node the --cluster-replicas that it has`,
    ),
    {
      isMet: ({ subjects }) => subjects?.length === 1 && subjects[0] === subjectOf(name),
      found: ({ subjects }) => `subjects is ${JSON.stringify(subjects ?? [])}`,
      needed: JSON.stringify([subjectOf(name)]),
      edit: `NAME --subjects ${subjectOf(name)}`,
    },
    exactly("deny_delete", true, "NAME --deny-delete"),
    exactly("deny_purge", true, "NAME --deny-purge"),
    exactly("allow_rollup_hdrs", false, "NAME --no-allow-rollup"),
    never("allow_msg_ttl"),
    never("allow_msg_counter"),
    never("allow_msg_schedules"),
    never("sealed"),
    never("no_ack", "NAME --ack"),
    never("mirror"),
    never("sources"),
    never("subject_transform"),
    {
      isMet: ({ persist_mode }) => persist_mode !== "async",
      found: () => "persist_mode is async",
      needed: "default",
    },
    atLeast("duplicate_window", DUPLICATE_WINDOW_NS, "10 minutes", "NAME --dupe-window 10m"),
    atLeast("max_age", MIN_AGE_NS, "at least 1 hour, or unlimited", "NAME --max-age 72h"),
    atLeast("max_bytes", MIN_BYTES, "at least 1 GiB, or unlimited", "NAME --max-bytes=-1"),
    atLeast("max_msgs", MIN_ENTRIES, `at least ${MIN_ENTRIES}, or unlimited`, "NAME --max-msgs=-1"),
    atLeast(
      "max_msgs_per_subject",
      MIN_ENTRIES,
      `at least ${MIN_ENTRIES}, or unlimited`,
      "NAME --max-msgs-per-subject=-1",
    ),
  ];
}

function exactly<K extends keyof StreamConfig>(key: K, needed: StreamConfig[K], edit?: string): Need {
  return {
    isMet: (config) => config[key] === needed,
    found: (config) => `${key} is ${config[key]}`,
    needed: String(needed),
    ...(edit !== undefined && { edit }),
  };
}

/** Older servers do not report what they do not know. */
function never(key: keyof StreamConfig, edit?: string): Need {
  return {
    isMet: (config) => !config[key],
    found: () => `${key} is set`,
    needed: "off",
    ...(edit !== undefined && { edit }),
  };
}

/** 0 and -1 mean unlimited. */
function atLeast(
  key: "duplicate_window" | "max_age" | "max_bytes" | "max_msgs" | "max_msgs_per_subject",
  least: number,
  needed: string,
  edit: string,
): Need {
  return {
    isMet: ({ [key]: value }) => value === undefined || (value <= 0 && key !== "duplicate_window") || value >= least,
    found: ({ [key]: value }) =>
      `${key} is ${key.startsWith("max_age") || key === "duplicate_window" ? `${value / 1e9} s` : value}`,
    needed,
    edit,
  };
}
