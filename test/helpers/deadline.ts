/** How long a test waits for what must come, in ms: long enough for a busy machine with a slow disk. */
export const DEADLINE_MS = 60_000;
