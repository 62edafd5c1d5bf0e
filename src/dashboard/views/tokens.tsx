import { useState } from "preact/hooks";
import { EventBusError, type NewToken, type TokenInfo } from "../../client/index.ts";
import { Secret } from "../parts/secret.tsx";
import { Failure, Loading, Notice, sentence } from "../parts/states.tsx";
import { useAnswer } from "../state/answer.ts";
import type { ViewProps } from "../state/parts.ts";
import { routeTo } from "../state/route.ts";
import { useStores } from "../state/store.ts";
import { dateAndClock, zone } from "../text/format.ts";
import { TokenForm } from "./token-form.tsx";

/** The named tokens: what each may do; makes and revokes them. A secret is shown once, and kept nowhere. */
export function TokensView({ session }: ViewProps) {
  useStores(session);
  const [answer, again] = useAnswer(session, (signal) => session.client.tokens({ signal }), []);
  const [made, setMade] = useState<NewToken | undefined>(undefined);
  const [failure, setFailure] = useState<string | undefined>(undefined);
  const take = (token: NewToken) => {
    setMade(token);
    // The first one closes the bus, to this page too.
    if (answer.kind === "there" && answer.value.length === 0 && !session.hasToken) session.useToken(token.secret);
    else again();
  };
  const revoke = async (name: string) => {
    try {
      await session.client.revokeToken(name);
      setFailure(undefined);
      again();
    } catch (error) {
      session.note(error);
      setFailure(error instanceof Error ? sentence(error.message) : String(error));
    }
  };
  return (
    <section class="view tokens">
      <h1 class="offscreen">Tokens</h1>
      {answer.kind === "loading" && <Loading what="tokens" />}
      {answer.kind === "failed" && <Failed error={answer.error} onRetry={again} />}
      {answer.kind === "there" && (
        <div class="columns">
          <div class="beside">
            {made && <Secret title={`Secret of ${made.name}`} secret={made.secret} onDone={() => setMade(undefined)} />}
            <p class="wrong" role="status">
              {failure}
            </p>
            {answer.value.length === 0 ? <OpenBus /> : <TokenTable tokens={answer.value} onRevoke={revoke} />}
          </div>
          <TokenForm
            key={String(answer.value.length === 0)}
            client={session.client}
            isFirst={answer.value.length === 0}
            onMade={take}
          />
        </div>
      )}
    </section>
  );
}

function Failed({ error, onRetry }: { readonly error: unknown; readonly onRetry: () => void }) {
  if (!(error instanceof EventBusError) || error.status !== 403) return <Failure error={error} onRetry={onRetry} />;
  return (
    <Notice title="Tokens require an admin token">
      <p>
        An admin creates one with <code>eventbus token create NAME --admin</code>, and can also create, list and revoke
        tokens with that command. With this token you can still watch <a href={routeTo("live")}>live events</a> and
        search <a href={routeTo("history")}>history</a>, as far as it may see them.
      </p>
    </Notice>
  );
}

function OpenBus() {
  return (
    <Notice title="There are no tokens">
      <p>
        Without tokens, and without a key for JSON Web Tokens, everyone who can reach the bus may do everything. The
        first token must be an admin token; from then on every request needs one. This page will use it.
      </p>
    </Notice>
  );
}

interface TableProps {
  readonly tokens: readonly TokenInfo[];
  readonly onRevoke: (name: string) => void;
}

function TokenTable({ tokens, onRevoke }: TableProps) {
  return (
    <div class="table">
      <table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">May</th>
            <th scope="col">Expires, {zone}</th>
            <th scope="col">
              <span class="offscreen">Revoke</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {tokens.map((token) => (
            <TokenLine key={token.name} token={token} onRevoke={onRevoke} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function TokenLine({ token, onRevoke }: { readonly token: TokenInfo; readonly onRevoke: TableProps["onRevoke"] }) {
  const [isSure, setIsSure] = useState(false);
  const { name, expires_at } = token;
  const isExpired = expires_at !== null && Date.parse(expires_at) <= Date.now();
  return (
    <tr>
      <th scope="row">{name}</th>
      <td class="may">
        <Permissions {...token} />
      </td>
      <td title={expires_at ?? undefined}>
        {expires_at === null ? "never" : dateAndClock(expires_at).slice(0, 16)}
        {isExpired && <span class="wrong"> expired</span>}
      </td>
      <td class="links">
        <button type="button" class="quiet" onClick={() => (isSure ? onRevoke(name) : setIsSure(true))}>
          {isSure ? "Revoke now" : "Revoke"}
          <span class="offscreen"> {name}</span>
        </button>
        {isSure && (
          <button type="button" class="quiet" onClick={() => setIsSure(false)}>
            Keep<span class="offscreen"> {name}</span>
          </button>
        )}
      </td>
    </tr>
  );
}

function Permissions({ publish, subscribe, consume, admin, monitor }: TokenInfo) {
  if (admin) return <>everything</>;
  return (
    <ul>
      {publish.length > 0 && <Patterns verb="publish" patterns={publish} />}
      {subscribe.length > 0 && <Patterns verb="read" patterns={subscribe} />}
      {consume.length > 0 && <Patterns verb="take from" patterns={consume} />}
      {monitor && <li>read figures and topics</li>}
    </ul>
  );
}

function Patterns({ verb, patterns }: { readonly verb: string; readonly patterns: readonly string[] }) {
  return (
    <li>
      {verb} <code>{patterns.join(" ")}</code>
    </li>
  );
}
