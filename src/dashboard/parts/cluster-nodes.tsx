import type { FullStats } from "../state/monitor.ts";
import { count } from "../text/format.ts";
import { TableHead } from "./table-head.tsx";

/** The nodes of the cluster, as known to the one that the page is connected to. */
export function ClusterNodes({ cluster }: { readonly cluster: NonNullable<FullStats["cluster"]> }) {
  const { name, node: own, connected, acknowledged, reconnects, nodes } = cluster;
  return (
    <section class="cluster" aria-labelledby="cluster-title">
      <h2 id="cluster-title">Cluster {name}</h2>
      <p>
        {connected ? "Connected to NATS" : <strong>NATS cannot be reached: publishing is rejected until it can</strong>}
        {`; ${count(acknowledged)} entries of this node stored, ${count(reconnects)} reconnects.`}
      </p>
      <table>
        <TableHead names={["Node", "Last entry", "Behind"]} />
        <tbody>
          {nodes.map(({ node, place, behind }) => (
            <tr key={node}>
              <th scope="row">{node === own ? `${node} (this one)` : node}</th>
              <td>{count(place)}</td>
              <td>{count(behind)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
