import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { BusError } from "./bus/errors.ts";
import type { TlsIdentity } from "./http/listener.ts";
import { readFailure } from "./text/read-failure.ts";

/** How often the files are read again, in milliseconds: a renewed certificate is used within this time. */
const LOOK_AGAIN_MS = 10_000;

/** What `--tls-cert` and `--tls-key` name. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** The files of the settings; undefined if neither is given. Throws `parameter_invalid` if only one is. */
export function tlsFilesOf(config: { tlsCert: string | undefined; tlsKey: string | undefined }): TlsFiles | undefined {
  const { tlsCert, tlsKey } = config;
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert !== undefined && tlsKey !== undefined) return { certFile: tlsCert, keyFile: tlsKey };
  throw invalid(tlsCert === undefined ? "--tls-key requires --tls-cert" : "--tls-cert requires --tls-key");
}

/**
 * Reads the certificate, followed by those between it and its authority, and its key.
 *
 * Throws `parameter_invalid` that names the file at fault, or says that the two do not belong together.
 */
export function readTls({ certFile, keyFile }: TlsFiles): TlsIdentity {
  const cert = read("--tls-cert", certFile);
  const key = read("--tls-key", keyFile);
  const certificate = certificateIn(cert, certFile);
  if (!certificate.checkPrivateKey(privateKeyIn(key, keyFile))) {
    throw invalid(`the key in --tls-key ${keyFile} does not belong to the first certificate in --tls-cert ${certFile}`);
  }
  return { cert, key };
}

/** When the first certificate expires, in milliseconds since 1970. */
export function expiryMs({ cert }: TlsIdentity): number {
  return new X509Certificate(cert).validToDate.getTime();
}

export interface TlsWatchHandler {
  /** The files contain another valid pair. If this throws, it is called again at the next check. */
  renew(identity: TlsIdentity): void;
  /** The files cannot be used now; the pair in use stays. Called once for each reason. */
  failed(error: unknown): void;
}

/** Reads the files repeatedly, as programs that renew certificates replace them in many ways. */
export class TlsWatch {
  readonly #files: TlsFiles;
  readonly #handler: TlsWatchHandler;
  readonly #timer: ReturnType<typeof setInterval>;
  #current: TlsIdentity;
  #lastFailure = "";

  /** `current` is the pair in use. */
  constructor(files: TlsFiles, current: TlsIdentity, handler: TlsWatchHandler) {
    this.#files = files;
    this.#current = current;
    this.#handler = handler;
    this.#timer = setInterval(() => this.look(), LOOK_AGAIN_MS);
    this.#timer.unref();
  }

  /** Checks now. */
  look(): void {
    try {
      const identity = readTls(this.#files);
      const isOld = identity.cert === this.#current.cert && identity.key === this.#current.key;
      if (!isOld) this.#handler.renew(identity);
      this.#current = identity;
      this.#lastFailure = "";
    } catch (error) {
      if (String(error) === this.#lastFailure) return;
      this.#lastFailure = String(error);
      this.#handler.failed(error);
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

function read(flag: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw invalid(`${flag} ${file} cannot be read: ${readFailure(error)}`, error);
  }
}

function certificateIn(text: string, file: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (error) {
    throw invalid(`--tls-cert ${file} does not begin with a certificate in PEM (BEGIN CERTIFICATE)`, error);
  }
}

function privateKeyIn(text: string, file: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (error) {
    throw invalid(`--tls-key ${file} contains no private key in PEM (BEGIN PRIVATE KEY) without a passphrase`, error);
  }
}

function invalid(detail: string, cause?: unknown): BusError {
  return new BusError("parameter_invalid", detail, { cause, members: {} });
}
