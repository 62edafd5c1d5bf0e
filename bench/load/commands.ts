interface Request {
  readonly command: string;
  readonly options: never;
}

/** The other end of `Program`: does what the bench asks, one command at a time. */
export function answerCommands(commands: Readonly<Record<string, (options: never) => Promise<unknown>>>): void {
  process.on("message", async ({ command, options }: Request) => {
    try {
      process.send?.({ result: await commands[command]?.(options) });
    } catch (error) {
      process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  process.on("disconnect", () => process.exit());
}
