import { useEffect, useRef, useState } from "preact/hooks";
import { EventBusError } from "../../client/index.ts";
import { rawDataOf } from "../../client/received-event.ts";
import { CopyButton } from "../parts/copy-button.tsx";
import { Loading, sentence } from "../parts/states.tsx";
import { TextField } from "../parts/text-field.tsx";
import { TopicName } from "../parts/topic-name.tsx";
import { useAnswer } from "../state/answer.ts";
import type { Parts, ViewProps } from "../state/parts.ts";
import { routeToEvent, useChoice } from "../state/route.ts";
import { rowOf } from "../state/rows.ts";
import { forgetSent, readSent, rememberSent, type Sent } from "../state/sent.ts";
import { useStores } from "../state/store.ts";
import { type Draft, toCurl, toTypeScript } from "../text/commands.ts";
import { clock } from "../text/format.ts";
import { type Fault, faultOf } from "../text/json.ts";

const EXAMPLE: Draft = { topic: "orders.created", source: "dashboard", data: '{\n  "total": 25\n}' };

/** After this long without an answer the page says so, in milliseconds. */
const SLOW_MS = 2000;

type Outcome =
  | { readonly kind: "sending"; readonly isSlow: boolean; readonly cancel: () => void }
  | { readonly kind: "sent"; readonly sent: Sent }
  | { readonly kind: "failed"; readonly words: string };

/** A form that publishes, and what was sent from this tab. */
export function PublishView({ session, query }: ViewProps) {
  useStores(session);
  const [sent, setSent] = useState(readSent);
  const [draft, setDraft] = useState<Draft>(() => sent[0] ?? EXAMPLE);
  const [outcome, setOutcome] = useState<Outcome | undefined>(undefined);
  const fault = faultOf(draft.data);
  const again = Number(query["from"] ?? 0);
  const [source] = useAnswer(
    session,
    async (signal) => (again > 0 ? rowOf(await session.client.event(again, { signal })) : undefined),
    [again],
  );
  const [copied, setCopied] = useState(0);
  // No form until the event is there: a quick click would publish something else.
  const isWaiting = again > 0 && copied !== again && source.kind !== "failed";
  useEffect(() => {
    const row = source.kind === "there" ? source.value : undefined;
    if (row === undefined) return;
    setDraft({ topic: row.topic, source: row.source, data: rawDataOf(row.json) });
    setCopied(row.key);
  }, [source]);
  const running = useRef<AbortController | undefined>(undefined);
  // After leaving the view, a user does not expect an event to be published.
  useEffect(() => () => running.current?.abort(), []);
  const publish = async () => {
    if (fault !== undefined || draft.topic === "" || outcome?.kind === "sending") return;
    const sending = new AbortController();
    const { signal } = sending;
    running.current = sending;
    const begun = (isSlow: boolean) => setOutcome({ kind: "sending", isSlow, cancel: () => sending.abort() });
    begun(false);
    const slow = setTimeout(() => begun(true), SLOW_MS);
    try {
      const { topic, source, data } = draft;
      const { id, created_at } = await session.client.publishRaw(topic, data, { source, signal });
      const one = { topic, source, data, id, createdAt: created_at };
      setSent(rememberSent(one));
      setOutcome({ kind: "sent", sent: one });
    } catch (error) {
      session.note(error);
      setOutcome({ kind: "failed", words: signal.aborted ? CANCELLED : failureWords(error) });
    } finally {
      clearTimeout(slow);
    }
  };
  return (
    <section class="view publish">
      <h1 class="offscreen">Publish</h1>
      <div class="columns">
        {isWaiting ? (
          <Loading what={`event ${again}`} />
        ) : (
          <PublishForm draft={draft} fault={fault} outcome={outcome} onChange={setDraft} onPublish={publish} />
        )}
        <div class="beside">
          <AsText draft={draft} fault={fault} session={session} />
          <SentList sent={sent} onUse={setDraft} onForget={() => setSent(forgetSent())} />
        </div>
      </div>
    </section>
  );
}

interface FormProps {
  readonly draft: Draft;
  readonly fault: Fault | undefined;
  readonly outcome: Outcome | undefined;
  readonly onChange: (draft: Draft) => void;
  readonly onPublish: () => void;
}

function PublishForm({ draft, fault, outcome, onChange, onPublish }: FormProps) {
  const form = useRef<HTMLFormElement>(null);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    onPublish();
  };
  const press = (key: KeyboardEvent) => {
    if (key.key !== "Enter" || !(key.ctrlKey || key.metaKey)) return;
    key.preventDefault();
    form.current?.requestSubmit();
  };
  const change = (part: Partial<Draft>) => onChange({ ...draft, ...part });
  return (
    <form class="compose" ref={form} onSubmit={submit} aria-label="Publish an event">
      <div class="pair">
        <TextField
          words="Topic"
          name="topic"
          required
          value={draft.topic}
          onInput={({ currentTarget }) => change({ topic: currentTarget.value })}
        />
        <TextField
          words="Source"
          name="source"
          value={draft.source}
          onInput={({ currentTarget }) => change({ source: currentTarget.value })}
          placeholder="none"
        />
      </div>
      <label class="body">
        Data, as JSON
        <textarea
          name="data"
          rows={14}
          value={draft.data}
          onInput={({ currentTarget }) => change({ data: currentTarget.value })}
          onKeyDown={press}
          aria-invalid={fault !== undefined}
          aria-describedby="fault"
          spellcheck={false}
        />
      </label>
      <p id="fault" class="verdict" aria-live="polite">
        {fault === undefined ? (
          <span class="fine">Valid JSON</span>
        ) : (
          <>
            <span class="wrong">
              Line {fault.line}, column {fault.column}: {fault.words}
            </span>{" "}
            <button type="button" class="quiet" onClick={() => select(form.current, fault)}>
              Show
            </button>
          </>
        )}
      </p>
      <div class="buttons">
        <button type="submit" class="primary" disabled={fault !== undefined || outcome?.kind === "sending"}>
          Publish
        </button>
        <span class="hint">or Ctrl Enter in the data</span>
      </div>
      <OutcomeLine outcome={outcome} />
    </form>
  );
}

function OutcomeLine({ outcome }: Pick<FormProps, "outcome">) {
  return (
    <p class="outcome" role="status">
      {outcome?.kind === "sending" && (
        <>
          {outcome.isSlow ? "No answer yet: still trying …" : "Publishing …"}{" "}
          <button type="button" class="quiet" onClick={outcome.cancel}>
            Cancel
          </button>
        </>
      )}
      {outcome?.kind === "failed" && <span class="wrong">{outcome.words}</span>}
      {outcome?.kind === "sent" && (
        <span class="fine">
          Published as <a href={routeToEvent(outcome.sent.id)}>#{outcome.sent.id}</a>; it is on the server's disk.
        </span>
      )}
    </p>
  );
}

/** Puts the caret where the fault is. */
function select(form: HTMLFormElement | null, { offset }: Fault): void {
  const area = form?.elements.namedItem("data");
  if (!(area instanceof HTMLTextAreaElement)) return;
  area.focus();
  area.setSelectionRange(offset, Math.min(offset + 1, area.value.length));
}

const forms = { curl: { name: "As curl", write: toCurl }, code: { name: "As code", write: toTypeScript } } as const;

/** The same event, published from a shell or from TypeScript. */
function AsText({ draft, fault, session }: Pick<FormProps, "draft" | "fault"> & Pick<Parts, "session">) {
  const [chosen, choose] = useChoice("as");
  const form = chosen === "code" ? "code" : "curl";
  const text = fault === undefined ? forms[form].write(session.url, draft, session.hasToken) : undefined;
  return (
    <section class="as-text" aria-label="The same as text">
      <div class="buttons">
        {(["curl", "code"] as const).map((one) => (
          <button
            key={one}
            type="button"
            class="choice"
            aria-pressed={form === one}
            onClick={() => choose(one === "curl" ? "" : one)}
          >
            {forms[one].name}
          </button>
        ))}
        <span class="fill" />
        {text !== undefined && <CopyButton label="Copy" text={() => text} />}
      </div>
      <pre class="code">{text ?? "Correct the data first."}</pre>
    </section>
  );
}

interface SentProps {
  readonly sent: readonly Sent[];
  readonly onUse: (draft: Draft) => void;
  readonly onForget: () => void;
}

function SentList({ sent, onUse, onForget }: SentProps) {
  return (
    <section class="sent" aria-label="Sent from this tab">
      <div class="buttons">
        <h2>Sent from this tab</h2>
        <span class="fill" />
        {sent.length > 0 && (
          <button type="button" class="quiet" onClick={onForget}>
            Forget
          </button>
        )}
      </div>
      {sent.length === 0 && <p class="hint">Nothing yet. What you publish is listed here until the tab is closed.</p>}
      <ul>
        {sent.map(({ id, topic, source, data, createdAt }) => (
          <li key={id}>
            <a href={routeToEvent(id)}>#{id}</a>
            <time dateTime={createdAt}>{clock(createdAt).slice(0, 8)}</time>
            <TopicName topic={topic} />
            <button type="button" class="quiet" onClick={() => onUse({ topic, source, data })}>
              Use again<span class="offscreen"> the payload of event {id}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

const CANCELLED = "Cancelled. If the server had received it already, it was published: see Live.";

function failureWords(error: unknown): string {
  if (error instanceof EventBusError && error.code === "network") {
    return `It is unknown whether it was published: ${sentence(error.message)}`;
  }
  return sentence(error instanceof Error ? error.message : String(error));
}
