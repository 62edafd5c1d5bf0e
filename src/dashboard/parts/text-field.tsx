import type { LooseInputHTMLAttributes } from "preact";

interface TextFieldProps extends Omit<LooseInputHTMLAttributes, "type" | "role"> {
  readonly words: string;
  /** The id of the element that says what is wrong. */
  readonly mistakeId?: string;
  readonly isWrong?: boolean;
  /** Takes the width that others leave. */
  readonly isWide?: boolean;
  readonly hint?: string;
}

/** A labelled field for text that a browser must neither complete nor correct. */
export function TextField({ words, mistakeId, isWrong, isWide = false, hint, ...input }: TextFieldProps) {
  return (
    <label class={isWide ? "grow" : undefined}>
      {words}
      <input {...input} aria-invalid={isWrong} aria-describedby={mistakeId} spellcheck={false} autocomplete="off" />
      {hint !== undefined && <span class="hint">{hint}</span>}
    </label>
  );
}
