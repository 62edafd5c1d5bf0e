import { TokenBook } from "./bus/access/tokens.ts";
import { Bus } from "./bus/bus.ts";
import { Consumers } from "./bus/consumers/consumers.ts";
import { BusError } from "./bus/errors.ts";
import { Meter } from "./bus/meter.ts";
import { type Config, NDJSON_FACTOR } from "./config.ts";
import { DescriptorWatch, descriptorLimit } from "./descriptors.ts";
import { Gate } from "./http/access/gate.ts";
import { isLoopbackName } from "./http/access/host.ts";
import { KeyedVerifier } from "./http/access/jwt.ts";
import { parseNetwork } from "./http/access/network.ts";
import { TrustedProxies } from "./http/access/proxies.ts";
import { PublishRates } from "./http/limits/publish-rates.ts";
import { SpareTime } from "./http/limits/spare-time.ts";
import { STALL_MS, SubscriberSlots } from "./http/limits/subscriber-limits.ts";
import { Turns } from "./http/limits/turns.ts";
import { Waiting } from "./http/limits/waiting.ts";
import type { TlsIdentity } from "./http/listener.ts";
import { Pushers } from "./http/push/pushers.ts";
import type { ServiceState } from "./http/routes/admin.ts";
import type { PageFiles } from "./http/routes/page.ts";
import { HttpServer } from "./http/server.ts";
import { jwtKeysOf } from "./jwt-keys.ts";
import { listenError } from "./listening.ts";
import type { Logger } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { type OpenLog, openLog } from "./open-log.ts";
import { Rates } from "./rates.ts";
import { patternWarnings, requestLog } from "./request-log.ts";
import { SteadyClock } from "./store/steady-clock.ts";
import { expiryMs, readTls, type TlsFiles, TlsWatch, tlsFilesOf } from "./tls.ts";

/** Pages have this part of the time of everything else, within the bounds of a turn, also beside publishers that fill it. */
const PAGES_PART = 1 / 4;

/** Length of a secret that signs webhooks: the standard allows 24 to 64 bytes. */
const SECRET_BYTES = 32;

export interface ServiceOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly version: string;
  /** The dashboard at `/`; omitted: none. */
  readonly page?: PageFiles | undefined;
  /** Called once when the history failed and the process should end, as its state is no longer known. */
  readonly onFailure: () => void;
  /**
   * Called once, by a node of a cluster that was away for too long, to stop the service, restore this copy of another
   * node's history and start the service again.
   */
  readonly onCopy?: (path: string) => void;
}

/** What the network edge uses besides the bus. */
interface Edge {
  readonly page: PageFiles | undefined;
  readonly opened: OpenLog;
  readonly tokens: TokenBook;
  readonly gate: Gate;
  readonly tls: TlsIdentity | undefined;
}

/** Undefined without a key for JSON Web Tokens. */
function jwtVerifierOf(config: Config, log: Logger): KeyedVerifier | undefined {
  const verifications = jwtKeysOf(config);
  if (verifications.length === 0) return undefined;
  return new KeyedVerifier({
    verifications,
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
    clock: Date.now,
    onError: (error) => log.warn({ err: error }, "the signing keys of JSON Web Tokens could not be fetched"),
  });
}

/** The whole service: history, bus and network. The constructor starts it. */
export class Service {
  readonly #bus: Bus;
  readonly #consumers: Consumers;
  readonly #pushers: Pushers;
  /** The consumers of all nodes of a cluster. */
  readonly #shared: NonNullable<OpenLog["cluster"]>["consumers"] | undefined;
  readonly #server: HttpServer;
  readonly #log: Logger;
  /**
   * Turns of the pages of long responses. Requests have turns of their own, so a short one does not wait behind a long
   * response.
   */
  readonly #pageTurns = new Turns({ part: PAGES_PART });
  #tls: TlsWatch | undefined;
  #isStopping = false;
  #stopped: Promise<void> | undefined;

  /** Opens the history, then listens. Throws a `BusError` that says what to do if either fails. */
  constructor({ config, log, version, page, onFailure, onCopy = () => {} }: ServiceOptions) {
    const jwt = jwtVerifierOf(config, log);
    this.#log = log;
    const tlsFiles = tlsFilesOf(config);
    const tls = tlsFiles && readTls(tlsFiles);
    const meter = new Meter((slow) => log.warn(slow, "slow"));
    const ageClock = new SteadyClock({ onStep: (byMs) => log.warn(clockStep(byMs)) }).read;
    const opened = openLog(config, { logger: log, meter, ageClock, onFailure, onCopy });
    this.#bus = new Bus(opened.log, {
      clock: Date.now,
      ageClock,
      meter,
      ...retentionOf(config),
      onPruneError: (error) => log.error({ err: error }, "pruning failed"),
      nextTurn: () => this.#pageTurns.later(() => {}),
    });
    try {
      const tokens = new TokenBook(opened.tokens, {
        clock: Date.now,
        hasOtherAdmins: jwt !== undefined,
        onChange: ({ kind, name, by }) => log.info({ name, by }, `token ${kind}`),
      });
      const gate = new Gate({ tokens, jwt, clock: Date.now, onRefusal: (reason) => meter.authFailures.add(reason) });
      refuseOpenBind(config, gate.isOpen);
      // The first token may still come from the cluster.
      const isKnown = opened.cluster === undefined;
      if (isKnown && !gate.isOpen && jwt === undefined && !tokens.hasAdmin) warnOfNoAdmin(config, log);
      warnOfAnyAudience(config, log);
      this.#shared = opened.cluster?.consumers;
      this.#consumers = this.#openConsumers(opened);
      this.#pushers = this.#openPushers(config, this.#consumers);
      this.#shared?.serveWith(this.#consumers);
      this.#server = this.#listen(config, version, { opened, tokens, gate, page, tls });
    } catch (error) {
      void opened.discard();
      throw error;
    }
    this.#bus.startPruning(config.pruneInterval);
    if (tlsFiles && tls) this.#watchTls(tlsFiles, tls);
  }

  get url(): string {
    return this.#server.url;
  }

  get bus(): Bus {
    return this.#bus;
  }

  /** Checks now whether the certificate was renewed; it is checked every few seconds anyway. */
  renewCertificate(): void {
    this.#tls?.look();
  }

  /**
   * Accepts no more requests, commits and acknowledges what was accepted, closes subscribers with 1012, and closes the
   * history. May be called twice.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#isStopping = true;
    this.#tls?.stop();
    await this.#server.stop();
    this.#pushers.close();
    this.#consumers.close();
    await this.#shared?.close();
    await this.#bus.stop();
  }

  #watchTls(files: TlsFiles, current: TlsIdentity): void {
    this.#warnOfExpiry(current);
    this.#tls = new TlsWatch(files, current, {
      renew: (identity) => {
        this.#server.renewCertificate(identity);
        this.#log.info({ file: files.certFile }, "using the renewed certificate");
        this.#warnOfExpiry(identity);
      },
      failed: (error) => this.#log.error({ err: error }, "the renewed certificate cannot be used: keeping the old one"),
    });
  }

  #warnOfExpiry(identity: TlsIdentity): void {
    const expires = new Date(expiryMs(identity)).toISOString();
    if (expiryMs(identity) <= Date.now()) this.#log.warn({ expires }, "the certificate in --tls-cert has expired");
  }

  /** Warns when the operating system allows fewer connections than the settings do. */
  #watchDescriptors({ maxConnections }: Config): DescriptorWatch | undefined {
    const limit = descriptorLimit();
    if (limit === undefined) return undefined;
    const watch = new DescriptorWatch(limit);
    if (watch.room < maxConnections) {
      this.#log.warn(
        { descriptors: limit, room: watch.room },
        "there are too few file descriptors for --max-connections: raise their limit (ulimit -n)",
      );
    }
    return watch;
  }

  #listen(config: Config, version: string, edge: Edge): HttpServer {
    const { opened, tokens, gate, page, tls } = edge;
    const descriptors = this.#watchDescriptors(config);
    const maxConnections = Math.min(config.maxConnections, descriptors?.room ?? Number.POSITIVE_INFINITY);
    try {
      return new HttpServer(this.#bus, {
        host: config.host,
        port: config.port,
        tls,
        isCrowded: descriptors?.isCrowded,
        version,
        page,
        service: this.#state(config, version, opened),
        tokens,
        consumers: this.#consumers,
        consumerHost: this.#shared,
        attemptsOf: (name) => this.#pushers.attempts(name),
        gate,
        makeCopy: opened.makeCopy,
        limits: {
          maxBodyBytes: config.maxBody,
          maxNdjsonBytes: config.maxBody * NDJSON_FACTOR,
          slots: new SubscriberSlots(maxConnections),
          spareTime: new SpareTime({ head: () => this.#bus.head }),
          waiting: new Waiting(config.maxWaiting),
          maxPatterns: config.maxPatterns,
          stallMs: STALL_MS,
          rates: config.rateLimit === undefined ? undefined : new PublishRates(config.rateLimit),
          onLimit: (limit) => this.#bus.meter.limitHits.add(limit),
          onPattern: patternWarnings(this.#log),
        },
        origins: {
          isLoopback: isLoopbackName(config.host),
          allowedHosts: config.allowedHosts,
          allowedOrigins: config.allowedOrigins,
        },
        proxies: new TrustedProxies(config.trustedProxies.map(parseNetwork)),
        onAnswered: requestLog(this.#log, this.#bus.meter, config.accessLog, (request) =>
          this.#server.addressOf(request),
        ),
        onError: (error) => this.#log.error({ err: error }, "a request failed"),
      });
    } catch (error) {
      throw listenError(config, error);
    }
  }

  #state(config: Config, version: string, { figures, cluster }: OpenLog): ServiceState {
    const bus = this.#bus;
    const startedMs = performance.now();
    const rates = new Rates(bus);
    const metrics = new Metrics({
      bus,
      published: () => rates.published,
      subscribers: () => this.#server.subscribers,
      replay: () => this.#server.replay,
      waitingBytes: () => this.#server.waiting.bytes,
      figures,
      consumers: () => this.#consumers.all().map((one) => [one.name, one.figures]),
      cluster,
    });
    return {
      metrics,
      stats: () => ({
        version,
        uptime_seconds: Math.floor((performance.now() - startedMs) / 1000),
        events: { count: bus.head - bus.floor + 1, first_id: bus.floor, last_id: bus.head },
        ...rates.stats,
        subscribers: this.#server.subscribers,
        replay: this.#server.replay,
        waiting: { bytes: this.#server.waiting.bytes, max_bytes: this.#server.waiting.maxBytes },
        storage: { used_bytes: bus.size().usedBytes, file_bytes: bus.size().fileBytes },
        retention: {
          max_history: config.maxHistory ?? null,
          max_age_ms: config.maxAge ?? null,
          max_bytes: config.maxBytes ?? null,
          prune_interval_ms: config.pruneInterval,
        },
        ...(cluster && { cluster: cluster.stats() }),
      }),
      notReady: () => this.#notReady(),
    };
  }

  #openPushers({ host, pushAllow }: Config, consumers: Consumers): Pushers {
    const rules = { allowed: pushAllow.map(parseNetwork), isLoopbackAllowed: isLoopbackName(host) };
    return new Pushers({ consumers, rules });
  }

  #openConsumers({ log, consumers, cluster }: OpenLog): Consumers {
    return new Consumers({
      log,
      store: consumers,
      interests: {
        add: (interest) => this.#bus.addInterest(interest),
        remove: (interest) => this.#bus.removeInterest(interest),
      },
      clocks: { wall: Date.now, monotonic: () => performance.now() },
      makeSecret: () => `whsec_${Buffer.from(crypto.getRandomValues(new Uint8Array(SECRET_BYTES))).toString("base64")}`,
      makeRun: () => crypto.getRandomValues(Buffer.alloc(6)).toString("base64url"),
      nextTurn: () => this.#pageTurns.later(() => {}),
      mayServe: cluster && (() => cluster.consumers.isHere),
      onChange: ({ kind, ...change }) => {
        if (kind === "stuck") this.#log.error(change, "the consumer was paused");
        else this.#log.info(change, `consumer ${kind}`);
      },
    });
  }

  #notReady(): BusError | undefined {
    if (this.#isStopping) return new BusError("shutting_down", "the server is shutting down");
    const health = this.#bus.health();
    if (health.state === "ok") return undefined;
    const { state, detail } = health;
    return new BusError(state === "full" ? "storage_full" : "unavailable", detail, { members: { state } });
  }
}

/** The consequences of a change of the clock. */
function clockStep(byMs: number): string {
  const seconds = Math.abs(Math.round(byMs / 1000));
  if (byMs > 0) return `the clock was set forward by ${seconds} s, or the machine slept: --max-age follows in an hour`;
  return `the clock was set back by ${seconds} s: created_at stays at that of the newest event until the clock has passed it`;
}

function retentionOf({ maxHistory, maxAge, maxBytes }: Config) {
  return {
    ...(maxHistory === undefined ? {} : { maxHistory }),
    ...(maxAge === undefined ? {} : { maxAgeMs: maxAge }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  };
}

function refuseOpenBind({ host, allowAnonymous, db }: Config, isOpen: boolean): void {
  if (!isOpen || allowAnonymous || isLoopbackName(host)) return;
  const token = db === ":memory:" ? "" : `create a token first (eventbus token create NAME --admin --db ${db}), `;
  throw new BusError(
    "unavailable",
    `${host} can be reached from other machines, and nothing restricts who may use the bus: ` +
      `${token}give a key for JSON Web Tokens (--jwt-secret, --jwt-public-key ` +
      "or --jwks-url), start with --allow-anonymous to allow everyone, or listen on 127.0.0.1",
  );
}

function warnOfNoAdmin({ db }: Config, log: Logger): void {
  log.warn(
    `no valid token is an admin token: to create one, stop the server and run eventbus token create NAME --admin --db ${db}`,
  );
}

/** An authority issues tokens for other services too, with the same keys. */
function warnOfAnyAudience({ jwksUrl, jwtAudience }: Config, log: Logger): void {
  if (jwksUrl === undefined || jwtAudience !== undefined) return;
  log.warn(
    "--jwks-url without --jwt-audience: any token of that authority with an eventbus claim is accepted, " +
      "whatever audience it was issued for",
  );
}
