import type { ComponentChildren } from "preact";
import { Sparkline } from "../parts/sparkline.tsx";
import type { WatchedConsumer } from "../state/consumer-watch.ts";
import { RATE_SLOTS } from "../state/rates.ts";
import { routeToConsumer } from "../state/route.ts";
import { count, measure } from "../text/format.ts";
import { goalOf, lagOf } from "./consumer-state.ts";
import { StateBadge } from "./state-badge.tsx";

/** A line for each consumer, which leads to its page. */
export function ConsumerTable({ consumers }: { readonly consumers: readonly WatchedConsumer[] }) {
  return (
    <div class="table consumer-table">
      <table>
        <thead>
          <tr>
            {["Name", "State", "Pattern", "Order"].map((name) => (
              <th key={name} scope="col" class={name.toLowerCase()}>
                {name}
              </th>
            ))}
            {["Lag", "Rate, 2 min", "In flight", "Retrying", "Dead"].map((name) => (
              <th key={name} scope="col" class="figure">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {consumers.map((consumer) => (
            <ConsumerLine key={consumer.name} consumer={consumer} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function ConsumerLine({ consumer }: { readonly consumer: WatchedConsumer }) {
  const { name, pattern, order, in_flight, retrying, dead, rates } = consumer;
  return (
    <tr>
      <th scope="row">
        <a href={routeToConsumer(name)}>{name}</a>
        <small title={consumer.push?.url}>{goalOf(consumer)}</small>
      </th>
      <td class="state">
        <StateBadge consumer={consumer} />
      </td>
      <td class="pattern">
        <code title={pattern.join(" ")}>{pattern.join(" ")}</code>
      </td>
      <td class="order">{order}</td>
      <Figure name="Lag">{lagOf(consumer)}</Figure>
      <Figure name="Rate">
        <Sparkline values={rates} slots={RATE_SLOTS} />
        <span class="now">{rateOf(consumer)}</span>
      </Figure>
      <Figure name="In flight">{count(in_flight)}</Figure>
      <Figure name="Retrying" mood={retrying > 0 ? "wrong" : undefined}>
        {count(retrying)}
      </Figure>
      <Figure name="Dead" mood={dead > 0 ? "wrong" : undefined}>
        {dead > 0 ? <a href={routeToConsumer(name, { tab: "dead" })}>{count(dead)}</a> : "0"}
      </Figure>
    </tr>
  );
}

interface FigureProps {
  readonly name: string;
  readonly mood?: "wrong" | undefined;
  readonly children: ComponentChildren;
}

/** In a narrow window its name is shown beside it, as the heads of the columns are not shown. */
function Figure({ name, mood, children }: FigureProps) {
  return (
    <td class={`figure ${mood ?? ""}`} data-name={name}>
      {children}
    </td>
  );
}

/** Events acknowledged per second; empty before the second response. */
export function rateOf({ rates }: WatchedConsumer): string {
  const rate = rates.at(-1);
  return rate === undefined ? "" : `${measure(rate)}/s`;
}
