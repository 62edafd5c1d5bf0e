import type { Server, WebSocketHandler } from "bun";
import type { Connection } from "./websocket/connection.ts";

/** Bun's own limit responds with an empty 413; ours applies first, so this one is never reached. */
const UNREACHABLE_BODY_BYTES = Number.MAX_SAFE_INTEGER;

/** A certificate, followed by those between it and its authority, and its private key: a matching pair of PEM texts. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

export interface ListenerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** HTTPS when it is given, HTTP otherwise. */
  readonly tls?: TlsIdentity | undefined;
  /** Seconds after which an idle connection, or a request that arrives too slowly, is disconnected. */
  readonly idleTimeoutS: number;
  readonly fetch: (
    request: Request,
    server: Server<Connection>,
  ) => Response | Promise<Response | undefined> | undefined;
  readonly error: (error: unknown) => Response;
  readonly websocket: WebSocketHandler<Connection>;
}

/** Listens on the port, with one Bun server at a time; earlier ones stay while they still have connections. */
export class Listener {
  readonly #serve: (port: number, tls: TlsIdentity | undefined) => Server<Connection>;
  readonly #retired = new Set<Server<Connection>>();
  readonly #port: number;
  #server: Server<Connection>;
  #begunRequests = 0;

  /** Listens at once. Throws when the address is in use. */
  constructor({ host, port, tls, idleTimeoutS, fetch, error, websocket }: ListenerOptions) {
    this.#serve = (at, identity) =>
      Bun.serve<Connection>({
        hostname: host,
        port: at,
        reusePort: false,
        development: false,
        idleTimeout: idleTimeoutS,
        maxRequestBodySize: UNREACHABLE_BODY_BYTES,
        fetch: (request, server) => {
          this.#begunRequests++;
          return fetch(request, server);
        },
        error,
        websocket,
        ...(identity === undefined ? {} : { tls: { cert: identity.cert, key: identity.key } }),
      });
    this.#server = this.#serve(port, tls);
    this.#port = this.#server.port ?? port;
  }

  get url(): string {
    return this.#server.url.href.replace(/\/$/, "");
  }

  /**
   * Requests that have ended so far, with or without a response. A number to compare: while it stays the same, no
   * client has left. It may change when the certificate does.
   */
  get endedRequests(): number {
    return this.#begunRequests - this.#server.pendingRequests;
  }

  /** The address of the peer that sent the request; undefined when it is gone. */
  addressOf(request: Request): string | undefined {
    return this.#server.requestIP(request)?.address;
  }

  /**
   * Uses another certificate from the next connection on. Requests in progress, streams and WebSockets continue with
   * the old one; idle kept-alive connections are closed.
   *
   * Bun cannot change the certificate of a server, so the old one stops listening and a new one takes the port. Throws
   * if it cannot; then no server listens, and it may be called again.
   */
  renew(tls: TlsIdentity): void {
    const old = this.#server;
    this.#retired.add(old);
    void old.stop(false).then(() => this.#retired.delete(old));
    this.#server = this.#serve(this.#port, tls);
  }

  /** Accepts no more connections; resolves when the last one has ended. */
  async drain(): Promise<void> {
    await Promise.all([...this.#retired, this.#server].map((server) => server.stop(false)));
  }

  /** Cuts every connection. */
  async stop(): Promise<void> {
    await Promise.all([...this.#retired, this.#server].map((server) => server.stop(true)));
  }
}
