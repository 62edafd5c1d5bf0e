import { BusError } from "../../bus/errors.ts";
import { backupDocs } from "../docs/operate.ts";
import { DATA_HEADERS } from "../response/answer.ts";
import { problemResponse } from "../response/problem.ts";
import { type Route, route } from "./route.ts";

export const BACKUP_PATH = "/api/backup";
/** As registered with IANA. */
const MEDIA_TYPE = "application/vnd.sqlite3";
const SIZE_HEADER = "Eventbus-Backup-Bytes";
/** Seconds after which to retry while another backup is made. */
const RETRY_AFTER_S = 10;

/** A copy of the history that can be read once, from the start. */
export interface HistoryCopy extends AsyncDisposable {
  readonly size: number;
  /** The next bytes; empty at the end. */
  read(): Promise<Uint8Array<ArrayBuffer>>;
}

/** Copies the history while events are published. Stops when the signal is aborted. */
export type MakeCopy = (signal: AbortSignal) => Promise<HistoryCopy>;

/**
 * `GET /api/backup`, for admins only, because the copy contains every event. One at a time, because each takes the
 * space of the history and a share of the event loop.
 */
export function backupRoute(makeCopy: MakeCopy): Route {
  let isBusy = false;
  const backup = async (request: Request): Promise<Response> => {
    if (isBusy) return busy();
    isBusy = true;
    const end = () => {
      isBusy = false;
    };
    try {
      return answer(await makeCopy(request.signal), end);
    } catch (error) {
      end();
      throw error;
    }
  };
  return route({
    method: "GET",
    path: BACKUP_PATH,
    access: "admin",
    docs: backupDocs,
    handle: ({ request }) => backup(request),
  });
}

function busy(): Response {
  const error = new BusError("unavailable", "another backup is in progress: try again when it has finished");
  return problemResponse(error, { "Retry-After": String(RETRY_AFTER_S) });
}

function answer(copy: HistoryCopy, end: () => void): Response {
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "");
  return new Response(stream(copy, end), {
    headers: {
      "Content-Type": MEDIA_TYPE,
      "Content-Disposition": `attachment; filename="eventbus-${time}.db"`,
      // Bun sends a stream in chunks and omits a Content-Length.
      [SIZE_HEADER]: String(copy.size),
      ...DATA_HEADERS,
    },
  });
}

/** Read as fast as the client reads it. The copy is freed when it has been read, or when the client leaves. */
function stream(copy: HistoryCopy, end: () => void): ReadableStream<Uint8Array> {
  let isOver = false;
  const dispose = async () => {
    if (isOver) return;
    isOver = true;
    await copy[Symbol.asyncDispose]();
    end();
  };
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const bytes = await copy.read();
          if (bytes.length > 0) return controller.enqueue(bytes);
          await dispose();
          controller.close();
        } catch (error) {
          // Reading fails, too, if the client leaves in the middle.
          if (isOver) return;
          await dispose();
          controller.error(error);
        }
      },
      cancel: dispose,
    },
    { highWaterMark: 0 },
  );
}
