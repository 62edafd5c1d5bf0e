import { CopyButton } from "./copy-button.tsx";

interface SecretProps {
  readonly title: string;
  readonly secret: string;
  readonly onDone: () => void;
}

/** The only time that a secret is shown. */
export function Secret({ title, secret, onDone }: SecretProps) {
  return (
    <section class="secret" aria-label={title}>
      <h2>{title}</h2>
      <p>Copy it now: it is shown only once.</p>
      <pre class="code">{secret}</pre>
      <div class="buttons">
        <CopyButton label="Copy secret" text={() => secret} />
        <button type="button" class="quiet" onClick={onDone}>
          Hide
        </button>
      </div>
    </section>
  );
}
