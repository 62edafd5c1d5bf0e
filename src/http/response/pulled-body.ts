import { type Waiting, WaitingAccount } from "../limits/waiting.ts";

/**
 * A body that is made piece by piece, each when the client has taken the one before it. So of an answer that is not read
 * one piece is there, beside what the kernel takes. It counts as waiting, with the `heldBytes` that the pieces are cut
 * from, until the body ends or the client is gone. When a piece cannot be made the connection is cut, so that no client
 * takes what it has for all of it.
 */
export function pulledBody(
  pieces: AsyncGenerator<string>,
  waiting: Waiting,
  heldBytes = 0,
): ReadableStream<Uint8Array> {
  const account = new WaitingAccount(waiting);
  let isOver = false;
  const end = () => {
    isOver = true;
    account.set(0);
  };
  account.set(heldBytes);
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await pieces.next();
          if (isOver) return;
          if (done) {
            end();
            return controller.close();
          }
          const bytes = encoder.encode(value);
          account.set(heldBytes + bytes.length);
          controller.enqueue(bytes);
        } catch (error) {
          end();
          throw error;
        }
      },
      async cancel() {
        end();
        await pieces.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}
const encoder = new TextEncoder();
