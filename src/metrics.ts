import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Bus } from "./bus/bus.ts";
import type { Behind } from "./bus/delivery/behind.ts";
import { DISTANCES, type Distance } from "./bus/delivery/replays.ts";
import type { Histogram as Plain, Tally } from "./bus/meter.ts";
import type { LogFigures } from "./bus/ports.ts";
import type { Cluster, ClusterStats } from "./cluster/cluster.ts";
import { build } from "./text/build.ts";

/** Values besides those of the bus, read when metrics are requested. */
export interface MetricsOptions {
  readonly bus: Bus;
  readonly published: () => number;
  readonly subscribers: () => Readonly<Record<string, { readonly live: number; readonly replay: number }>>;
  /** Subscribers that are behind; `share` is the part of a busy loop that they get, 0 to 1. */
  readonly replay: () => Readonly<Record<Distance, Behind>> & { readonly share: number };
  /** Bytes that wait for readers. */
  readonly waitingBytes: () => number;
  readonly figures: LogFigures;
  /** Figures of each consumer, by name. */
  readonly consumers: () => readonly (readonly [name: string, figures: ConsumerFigures])[];
  /** Undefined for a single node. */
  readonly cluster: Pick<Cluster, "stats" | "ackSeconds"> | undefined;
}

/** The figures of one consumer. */
export interface ConsumerFigures {
  readonly lag: number;
  readonly inFlight: number;
  readonly retrying: number;
  readonly dead: number;
  readonly isPaused: boolean;
  readonly handedOut: number;
  readonly acknowledged: number;
  readonly failed: number;
}

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];
/** A number is a sample without labels. */
type Read = () => number | readonly Sample[];

/** The metrics of one service in Prometheus' text format. The plain numbers of its meter are read on request. */
export class Metrics {
  readonly #registry = new Registry();
  #text: Promise<string> | undefined;

  constructor({ bus, published, subscribers, replay, waitingBytes, figures, consumers, cluster }: MetricsOptions) {
    const { meter } = bus;
    this.#counter("published_events", "Events committed since the server started.", published);
    this.#counter("published_bytes", "Bytes of JSON in the events committed.", () => meter.publishedBytes);
    this.#counter("delivered_events", "Events delivered to subscribers, counted once per subscriber.", () =>
      samples("transport", meter.delivered),
    );
    this.#counter("delivered_bytes", "Bytes of JSON in the events delivered to subscribers.", () =>
      samples("transport", meter.deliveredBytes),
    );
    this.#counter("replays", "Subscriptions that started in the past.", () => meter.replays);
    this.#counter("gaps", "Gaps reported to subscribers.", () => meter.gaps);
    this.#counter("evictions", "Slow subscribers moved from live delivery to replay.", () => meter.evictions);
    this.#counter("pruned_events", "Events removed by retention.", () => meter.prunedEvents);
    this.#counter(
      "forgotten_keys",
      "Idempotency keys forgotten early, because there were more than --max-keys.",
      () => figures.keysForgotten,
    );
    this.#counter("auth_failures", "Requests that failed authentication or authorization, by reason.", () =>
      tallied("reason", meter.authFailures),
    );
    this.#counter("limit_hits", "Requests and connections that reached a limit, by limit.", () =>
      tallied("limit", meter.limitHits),
    );
    this.#histogram("commit_events", "Events in one transaction.", () => [[{}, meter.commitEvents]]);
    this.#histogram("commit_duration_seconds", "Duration of a transaction of events.", () => [
      [{}, meter.commitSeconds],
    ]);
    this.#histogram(
      "fsync_duration_seconds",
      "Duration of the COMMIT statement, in which SQLite waits for the disk.",
      () => [[{}, meter.fsyncSeconds]],
    );
    this.#histogram("prune_duration_seconds", "Duration of a pruning run.", () => [[{}, meter.pruneSeconds]]);
    this.#histogram("http_request_duration_seconds", "Time until the head of the response, by route and status.", () =>
      [...meter.http].map(([key, histogram]) => {
        const [method = "", route = "", status = ""] = key.split(" ");
        return [{ method, route, status }, histogram];
      }),
    );
    this.#addReplays({ subscribers, replay, waitingBytes });
    this.#addConsumers(consumers);
    this.#addHistory(bus, figures);
    this.#addCluster(cluster);
    this.#addBuild();
    this.#addProcess();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Made once for all requests in one turn of the loop, as it takes half a millisecond. */
  text(): Promise<string> {
    if (this.#text === undefined) {
      this.#text = this.#registry.metrics();
      setImmediate(() => {
        this.#text = undefined;
      });
    }
    return this.#text;
  }

  /** Always 1: what the program is, is in its labels. */
  #addBuild(): void {
    const { version, commit, target, bun } = build;
    this.#gauge("build_info", "The program: its version, commit, target and Bun.", () => [
      [{ version, commit: commit ?? "", target, bun }, 1],
    ]);
  }

  /**
   * The process metrics of prom-client, under the names that every program has for them, without those from Node.js
   * interfaces for which Bun returns zeros and estimates.
   */
  #addProcess(): void {
    collectDefaultMetrics({ register: this.#registry });
    for (const { name } of this.#registry.getMetricsAsArray()) {
      if (name.startsWith("nodejs_") || name === "process_heap_bytes") {
        this.#registry.removeSingleMetric(name);
      }
    }
  }

  #addReplays({
    subscribers,
    replay,
    waitingBytes,
  }: Pick<MetricsOptions, "subscribers" | "replay" | "waitingBytes">): void {
    this.#gauge("subscribers", "Current subscribers, by transport and state.", () =>
      Object.entries(subscribers()).flatMap(([transport, { live, replay }]): Sample[] => [
        [{ transport, state: "live" }, live],
        [{ transport, state: "replay" }, replay],
      ]),
    );
    this.#gauge(
      "behind_subscribers",
      "Subscribers that are behind, by where they read: near from memory, far from disk.",
      () => DISTANCES.map((distance): Sample => [{ distance }, replay()[distance].subscribers]),
    );
    this.#gauge(
      "behind_events",
      "Events between the subscriber furthest behind and the newest event, by where it reads.",
      () => DISTANCES.map((distance): Sample => [{ distance }, replay()[distance].lag]),
    );
    this.#gauge(
      "replay_share",
      "Share of a busy event loop that near replays get, and far ones too, 0 to 1.",
      () => replay().share,
    );
    this.#gauge("waiting_bytes", "Bytes waiting in the server for readers; bounded by --max-waiting.", waitingBytes);
  }

  #addConsumers(consumers: MetricsOptions["consumers"]): void {
    const of = (figure: keyof ConsumerFigures) => () =>
      consumers().map(([consumer, figures]): Sample => [{ consumer }, Number(figures[figure])]);
    this.#counter("consumer_deliveries", "Deliveries handed out, retries included.", of("handedOut"));
    this.#counter("consumer_acknowledged", "Deliveries acknowledged.", of("acknowledged"));
    this.#counter("consumer_failed", "Attempts that failed, or were not acknowledged in time.", of("failed"));
    this.#gauge(
      "consumer_lag",
      "Matching events that are neither acknowledged nor given up; at least this many while it is counted.",
      of("lag"),
    );
    this.#gauge("consumer_in_flight", "Deliveries that are out.", of("inFlight"));
    this.#gauge("consumer_retrying", "Events that wait for another attempt.", of("retrying"));
    this.#gauge("consumer_dead", "Events that were given up.", of("dead"));
    this.#gauge("consumer_paused", "1 while the consumer is paused.", of("isPaused"));
  }

  #addHistory(bus: Bus, figures: LogFigures): void {
    this.#gauge("queue_depth", "Publishes waiting for their commit.", () => figures.queueDepth);
    this.#gauge("history_events", "Events in the history.", () => bus.head - bus.floor + 1);
    this.#gauge("database_used_bytes", "Bytes of the database that are in use.", () => bus.size().usedBytes);
    this.#gauge(
      "database_bytes",
      "Bytes of the database on disk, including its write-ahead log.",
      () => bus.size().fileBytes,
    );
    this.#gauge("wal_bytes", "Bytes of the write-ahead log.", () => figures.walBytes);
    this.#gauge("ready", "1 when the history is intact and accepts publishes.", () =>
      bus.health().state === "ok" ? 1 : 0,
    );
  }

  /** Without a cluster, these have no values. */
  #addCluster(cluster: MetricsOptions["cluster"]): void {
    const read = (value: (stats: ClusterStats) => number) => (): Sample[] =>
      cluster === undefined ? [] : [[{}, value(cluster.stats())]];
    this.#gauge(
      "cluster_connected",
      "1 while a node of a cluster is connected to NATS.",
      read((stats) => Number(stats.connected)),
    );
    this.#gauge(
      "cluster_place",
      "The last entry of the stream that this node has adopted.",
      read((stats) => stats.place),
    );
    this.#gauge(
      "cluster_behind_entries",
      "Entries of the stream that this node has not adopted yet, as far as it knows.",
      read((stats) => stats.behind),
    );
    this.#gauge(
      "cluster_nodes",
      "Nodes of the cluster heard from in the last few seconds, this one included.",
      read((stats) => stats.nodes.length),
    );
    this.#counter(
      "cluster_reconnects",
      "Connections to NATS that were lost and re-established.",
      read((stats) => stats.reconnects),
    );
    this.#histogram("cluster_ack_duration_seconds", "Time until the stream has accepted an entry of this node.", () =>
      cluster === undefined ? [] : [[{}, cluster.ackSeconds]],
    );
  }

  #counter(name: string, help: string, read: Read): void {
    const counter: Counter<string> = new Counter({
      name: `eventbus_${name}_total`,
      help,
      labelNames: LABELS,
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        for (const [labels, value] of samplesOf(read())) counter.inc(labels, value);
      },
    });
  }

  #gauge(name: string, help: string, read: Read): void {
    const gauge: Gauge<string> = new Gauge({
      name: `eventbus_${name}`,
      help,
      labelNames: LABELS,
      registers: [this.#registry],
      collect: () => {
        gauge.reset();
        for (const [labels, value] of samplesOf(read())) gauge.set(labels, value);
      },
    });
  }

  #histogram(name: string, help: string, read: () => readonly (readonly [Labels, Plain])[]): void {
    const shown = new ReadHistogram(`eventbus_${name}`, help, read);
    this.#registry.registerMetric(shown);
  }
}

const BUILD_LABELS = ["version", "commit", "target", "bun"];
const LABELS = ["transport", "state", "distance", "reason", "limit", "consumer", ...BUILD_LABELS];

/** A histogram of prom-client whose numbers are kept elsewhere. */
class ReadHistogram extends Histogram<string> {
  readonly #name: string;
  readonly #help: string;
  readonly #read: () => readonly (readonly [Labels, Plain])[];

  constructor(name: string, help: string, read: () => readonly (readonly [Labels, Plain])[]) {
    super({ name, help, registers: [] });
    this.#name = name;
    this.#help = help;
    this.#read = read;
  }

  /** Called by a registry that writes its text. */
  async getForPromString() {
    const values = this.#read().flatMap(([labels, histogram]) => valuesOf(this.#name, labels, histogram));
    return { name: this.#name, help: this.#help, type: "histogram", aggregator: "sum", values };
  }
}

function valuesOf(name: string, labels: Labels, { bounds, counts, sum }: Plain) {
  let count = 0;
  const buckets = counts.map((more, index) => {
    count += more;
    return { metricName: `${name}_bucket`, labels: { ...labels, le: bounds[index] ?? "+Inf" }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}

function samplesOf(read: ReturnType<Read>): readonly Sample[] {
  return typeof read === "number" ? [[{}, read]] : read;
}

function samples(label: string, values: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(values).map(([name, value]): Sample => [{ [label]: name }, value]);
}

function tallied(label: string, { counts }: Tally): readonly Sample[] {
  return [...counts].map(([name, value]): Sample => [{ [label]: name }, value]);
}
