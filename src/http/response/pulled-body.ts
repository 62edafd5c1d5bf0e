import { type Waiting, WaitingAccount } from "../limits/waiting.ts";

/**
 * A body that is created piece by piece, each when the client has read the previous one. So an unread response holds
 * only one piece, besides what the kernel buffers. It counts as waiting, with the `heldBytes` from which the pieces are
 * cut, until the body ends or the client is gone. If a piece cannot be created, the connection is closed, so that no
 * client mistakes the part that it has for the whole.
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
            await nextTurn();
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

/**
 * Bun sends the length of a body that ends in the turn in which it begins. Whether one ends so early depends on how
 * much was searched for it, which must not be visible, so none does.
 */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
