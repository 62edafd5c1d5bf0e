const LOWEST_PORT = 12_000;
const HIGHEST_PORT = 30_000;

/**
 * A port that nothing listens on now. It is below those that the system gives to connections, so none of them takes it
 * while a server that has it is restarted.
 */
export function freePort(): number {
  for (;;) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - LOWEST_PORT));
    try {
      Bun.listen({ hostname: "127.0.0.1", port, socket: { data: () => {} } }).stop(true);
      return port;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
    }
  }
}
