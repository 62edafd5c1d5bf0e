import { rm } from "node:fs/promises";
import type { Logger } from "../../log.ts";
import { restoreFile } from "../../store/copy/restore.ts";

/**
 * Puts the copy of another node in the place of a history that no service uses; the copy is checked first, and removed
 * at the end. The replaced file is kept aside, unless nothing was ever in it.
 */
export async function replaceHistory(db: string, copy: string, log: Logger): Promise<void> {
  const aside = `${db}.replaced-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}`;
  try {
    const onWarning = (detail: string) => log.warn({ detail }, "the copy of another node has a warning");
    const {
      report,
      replacedHead,
      aside: kept,
    } = await restoreFile(copy, db, aside, { onProgress: () => {}, onWarning });
    if (replacedHead === 0) await rm(aside, { force: true });
    log.info(
      { events: report.events, ...(replacedHead === 0 ? {} : { aside: kept }) },
      "the history is that of another node",
    );
  } finally {
    await rm(copy, { force: true });
  }
}
