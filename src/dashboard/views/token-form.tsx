import { useState } from "preact/hooks";
import { type EventBusClient, EventBusError, type NewToken } from "../../client/index.ts";
import { sentence } from "../parts/states.tsx";
import { TextField } from "../parts/text-field.tsx";

const DAY_MS = 86_400_000;
/** In days. */
const EXPIRIES = [
  ["", "never"],
  ["1", "in a day"],
  ["30", "in 30 days"],
  ["90", "in 90 days"],
  ["365", "in a year"],
] as const;

export interface TokenFormProps {
  readonly client: EventBusClient;
  /** It must be an admin token. */
  readonly isFirst: boolean;
  readonly onMade: (token: NewToken) => void;
}

/** Makes a token. A mistake is reported at its field. */
export function TokenForm({ client, isFirst, onMade }: TokenFormProps) {
  const [mistake, setMistake] = useState<{ readonly field: string | undefined; readonly words: string }>();
  const [role, setRole] = useState<string>(isFirst ? "admin" : "patterns");
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (!(event.currentTarget instanceof HTMLFormElement)) return;
    const { currentTarget: form } = event;
    try {
      const made = await client.createToken(String(new FormData(form).get("name")).trim(), optionsIn(form, role));
      setMistake(undefined);
      form.reset();
      onMade(made);
    } catch (error) {
      const field = error instanceof EventBusError ? error.problem?.parameter : undefined;
      setMistake({ field, words: sentence(error instanceof Error ? error.message : String(error)) });
    }
  };
  const isWrong = (field: string) => mistake?.field === field;
  return (
    <form class="compose" onSubmit={submit} aria-label="Create a token">
      <h2>Create a token</h2>
      <TextField
        words="Name"
        name="name"
        required
        maxLength={64}
        placeholder="shop"
        isWrong={isWrong("name")}
        mistakeId="token-mistake"
      />
      <label>
        May
        <select value={isFirst ? "admin" : role} onChange={({ currentTarget }) => setRole(currentTarget.value)}>
          {!isFirst && (
            <>
              <option value="patterns">publish, read and take by patterns</option>
              <option value="monitor">read figures and topics, no events</option>
            </>
          )}
          <option value="admin">everything (admin)</option>
        </select>
      </label>
      {role === "patterns" && !isFirst && (
        <>
          <PatternsField name="publish" words="Publish to" isWrong={isWrong("publish")} />
          <PatternsField name="subscribe" words="Read events of" isWrong={isWrong("subscribe")} />
          <PatternsField name="consume" words="Take from consumers" isWrong={isWrong("consume")} />
        </>
      )}
      <label>
        Expires
        <select name="expires">
          {EXPIRIES.map(([days, words]) => (
            <option key={days} value={days}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <p id="token-mistake" class="wrong" role="status">
        {mistake?.words}
      </p>
      <div class="buttons">
        <button type="submit" class="primary">
          Create
        </button>
      </div>
    </form>
  );
}

interface PatternsFieldProps {
  readonly name: "publish" | "subscribe" | "consume";
  readonly words: string;
  readonly isWrong: boolean;
}

function PatternsField({ name, words, isWrong }: PatternsFieldProps) {
  return (
    <TextField
      words={words}
      name={name}
      class="mono"
      placeholder="orders.* prices.*"
      isWrong={isWrong}
      mistakeId="token-mistake"
      hint="patterns, with spaces between them; none: nothing"
    />
  );
}

function optionsIn(form: HTMLFormElement, role: string) {
  const data = new FormData(form);
  const days = Number(data.get("expires"));
  return {
    publish: patternsIn(data.get("publish")),
    subscribe: patternsIn(data.get("subscribe")),
    consume: patternsIn(data.get("consume")),
    admin: role === "admin",
    monitor: role === "monitor",
    ...(days === 0 ? {} : { expiresAt: new Date(Date.now() + days * DAY_MS) }),
  };
}

function patternsIn(text: FormDataEntryValue | null): string[] {
  return typeof text === "string" ? text.split(/\s+/).filter((pattern) => pattern !== "") : [];
}
