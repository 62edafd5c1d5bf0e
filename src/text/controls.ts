/** Characters that control a terminal, or turn the direction of the text around them: a line can then look like another. */
const CONTROLS = /[\p{Cc}\p{Bidi_Control}]/gu;

/** Whether the text has control characters or turns its direction. */
export function hasControls(text: string): boolean {
  return text.search(CONTROLS) >= 0;
}

/** Replaces each control character, and each that turns the direction of the text. */
export function replaceControls(text: string, by: (character: string) => string): string {
  return text.replace(CONTROLS, by);
}
