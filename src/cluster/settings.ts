import { readFileSync } from "node:fs";
import { BusError } from "../bus/errors.ts";
import { readFailure } from "../text/read-failure.ts";

/** What the configuration says about the cluster. */
export interface ClusterConfig {
  readonly db: string;
  /** URLs of NATS servers; empty: a single node. */
  readonly cluster: readonly string[];
  readonly clusterName: string;
  readonly clusterReplicas: number;
  /** Files; at most one of `clusterCreds` and `clusterToken`. */
  readonly clusterCreds: string | undefined;
  readonly clusterToken: string | undefined;
  readonly clusterTlsCa: string | undefined;
  readonly clusterTlsCert: string | undefined;
  readonly clusterTlsKey: string | undefined;
  /** URLs of monitoring ports of NATS. */
  readonly clusterMonitor: readonly string[];
}

/** The cluster that a node belongs to, and how it reaches NATS. */
export interface ClusterSettings {
  readonly servers: readonly string[];
  /** The name of the stream. */
  readonly name: string;
  readonly replicas: number;
  readonly monitors: readonly string[];
  readonly token: string | undefined;
  readonly credsFile: string | undefined;
  /** Undefined: only if the server requires it. */
  readonly tls: ClusterTls | undefined;
}

interface ClusterTls {
  /** Undefined: the authorities of the system. */
  readonly caFile: string | undefined;
  /** Both or none. */
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

/**
 * The settings of the cluster; undefined for a single node. Throws `parameter_invalid` for settings that exclude or
 * require one another, and for files that cannot be read.
 */
export function clusterSettingsOf(config: ClusterConfig): ClusterSettings | undefined {
  if (config.cluster.length === 0) {
    refuseWithoutCluster(config);
    return undefined;
  }
  refuseConflicts(config);
  for (const [flag, file] of filesOf(config)) requireReadable(flag, file);
  return {
    servers: config.cluster,
    name: config.clusterName,
    replicas: config.clusterReplicas,
    monitors: config.clusterMonitor,
    token: config.clusterToken,
    credsFile: config.clusterCreds,
    tls: tlsOf(config),
  };
}

function tlsOf(config: ClusterConfig): ClusterTls | undefined {
  const { clusterTlsCa, clusterTlsCert, clusterTlsKey } = config;
  const isAsked = config.cluster.some((url) => url.startsWith("tls:"));
  if (!isAsked && clusterTlsCa === undefined && clusterTlsCert === undefined) return undefined;
  return { caFile: clusterTlsCa, certFile: clusterTlsCert, keyFile: clusterTlsKey };
}

function filesOf(config: ClusterConfig): readonly (readonly [flag: string, file: string | undefined])[] {
  return [
    ["--cluster-creds", config.clusterCreds],
    ["--cluster-tls-ca", config.clusterTlsCa],
    ["--cluster-tls-cert", config.clusterTlsCert],
    ["--cluster-tls-key", config.clusterTlsKey],
  ];
}

function refuseWithoutCluster(config: ClusterConfig): void {
  const given: readonly (readonly [string, unknown])[] = [
    ...filesOf(config),
    ["--cluster-token", config.clusterToken],
    ["--cluster-monitor", config.clusterMonitor[0]],
  ];
  const flag = given.find(([, value]) => value !== undefined)?.[0];
  if (flag !== undefined) throw invalid(`${flag} requires --cluster`);
}

function refuseConflicts({ db, clusterCreds, clusterToken, clusterTlsCert, clusterTlsKey }: ClusterConfig): void {
  if (db === ":memory:") {
    throw invalid("--cluster requires a history file: a node that forgets its history with every start cannot follow");
  }
  if (clusterCreds !== undefined && clusterToken !== undefined) {
    throw invalid("--cluster-creds and --cluster-token are mutually exclusive: give at most one");
  }
  if (clusterTlsCert !== undefined && clusterTlsKey === undefined) {
    throw invalid("--cluster-tls-cert requires --cluster-tls-key");
  }
  if (clusterTlsCert === undefined && clusterTlsKey !== undefined) {
    throw invalid("--cluster-tls-key requires --cluster-tls-cert");
  }
}

function requireReadable(flag: string, file: string | undefined): void {
  if (file === undefined) return;
  try {
    readFileSync(file);
  } catch (error) {
    throw invalid(`${flag} ${file} cannot be read: ${readFailure(error)}`);
  }
}

function invalid(detail: string): BusError {
  return new BusError("parameter_invalid", detail);
}
