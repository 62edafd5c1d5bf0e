import { connect, type EventBusClient, EventBusError } from "../../client/index.ts";
import { Store } from "./store.ts";

/** The token stays in the tab: a page opened separately does not have it, and neither does the disk. */
const TOKEN_KEY = "eventbus.token";
/** Time limit of one call, retries included, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** The connection to the server: the client, and the token if the server requires one. */
export class Session extends Store {
  #client = this.#connect();
  #wants: "token_missing" | "token_invalid" | undefined;

  /** Changes with the token, so read it each time. */
  get client(): EventBusClient {
    return this.#client;
  }

  /** The server's address, without a slash at the end. */
  get url(): string {
    return this.#client.url;
  }

  get hasToken(): boolean {
    return sessionStorage.getItem(TOKEN_KEY) !== null;
  }

  /** Why the server requires a token, if it does. */
  get wants(): "token_missing" | "token_invalid" | undefined {
    return this.#wants;
  }

  /** Continues with this token; without one if it is undefined. */
  useToken(token: string | undefined): void {
    if (token === undefined) sessionStorage.removeItem(TOKEN_KEY);
    else sessionStorage.setItem(TOKEN_KEY, token);
    this.#client.close();
    this.#client = this.#connect();
    this.#wants = undefined;
    this.changed();
  }

  /** Notes whether an error means that the server requires a token. */
  note(error: unknown): void {
    if (!(error instanceof EventBusError)) return;
    const { code } = error;
    if ((code !== "token_missing" && code !== "token_invalid") || code === this.#wants) return;
    this.#wants = code;
    this.changed();
  }

  #connect(): EventBusClient {
    const token = sessionStorage.getItem(TOKEN_KEY) ?? undefined;
    return connect(location.href, { token, timeoutMs: TIMEOUT_MS });
  }
}
