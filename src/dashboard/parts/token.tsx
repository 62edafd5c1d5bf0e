import { useEffect, useRef } from "preact/hooks";
import type { Session } from "../state/session.ts";
import { useStores } from "../state/store.ts";

/** Asks for a token as soon as the server requires one. */
export function TokenDialog({ session }: { readonly session: Session }) {
  useStores(session);
  const dialog = useRef<HTMLDialogElement>(null);
  const { wants } = session;
  useEffect(() => {
    if (wants === undefined) dialog.current?.close();
    else if (dialog.current?.open === false) dialog.current.showModal();
  }, [wants]);
  return (
    <dialog ref={dialog} aria-labelledby="token-title" class="token" id="token-dialog">
      <form onSubmit={(submit) => useEntered(submit, session)}>
        <h2 id="token-title">{wants === "token_invalid" ? "This token is not valid" : "Enter a token"}</h2>
        <p>
          {wants === "token_invalid" ? "The token is unknown, expired or revoked." : "This server requires a token."}
        </p>
        <label>
          Token
          <input name="token" type="password" required autocomplete="off" spellcheck={false} placeholder="ebt_…" />
        </label>
        <p class="hint">
          <code>eventbus token create</code> creates one. It is kept in this tab until the tab is closed, and never put
          into the address.
        </p>
        <div class="buttons">
          <button type="submit" class="primary">
            Use it
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>
            Not now
          </button>
        </div>
      </form>
    </dialog>
  );
}

function useEntered(submit: SubmitEvent, session: Session): void {
  submit.preventDefault();
  if (!(submit.currentTarget instanceof HTMLFormElement)) return;
  const token = new FormData(submit.currentTarget).get("token");
  submit.currentTarget.reset();
  if (typeof token === "string" && token.trim() !== "") session.useToken(token.trim());
}

/** Forgets the token, or asks for it again after the dialog was dismissed. */
export function TokenButton({ session }: { readonly session: Session }) {
  useStores(session);
  if (session.wants !== undefined) {
    return (
      <button type="button" class="quiet" onClick={askAgain}>
        Enter token
      </button>
    );
  }
  if (!session.hasToken) return null;
  return (
    <button type="button" class="quiet" onClick={() => session.useToken(undefined)}>
      Forget token
    </button>
  );
}

function askAgain(): void {
  const dialog = document.getElementById("token-dialog");
  if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
}
