import { auth } from "./benches/auth.ts";
import { backup } from "./benches/backup.ts";
import { beside } from "./benches/beside.ts";
import { catchUp } from "./benches/catch-up.ts";
import { chains } from "./benches/chains.ts";
import { cluster } from "./benches/cluster.ts";
import { consume } from "./benches/consume.ts";
import { consumers } from "./benches/consumers.ts";
import { crowd } from "./benches/crowd.ts";
import { envelope } from "./benches/envelope.ts";
import { fanOut } from "./benches/fan-out.ts";
import { fanOutStream } from "./benches/fan-out-stream.ts";
import { history } from "./benches/history.ts";
import { holds } from "./benches/holds.ts";
import { idempotency } from "./benches/idempotency.ts";
import { latency } from "./benches/latency.ts";
import { manyPatterns } from "./benches/many-patterns.ts";
import { manyTopics } from "./benches/many-topics.ts";
import { memory } from "./benches/memory.ts";
import { millionTopics } from "./benches/million-topics.ts";
import { pattern } from "./benches/pattern.ts";
import { peers } from "./benches/peers.ts";
import { publishFull } from "./benches/publish-full.ts";
import { publishHttp } from "./benches/publish-http.ts";
import { publishNdjson } from "./benches/publish-ndjson.ts";
import { publishWebsocket } from "./benches/publish-websocket.ts";
import { questions } from "./benches/questions.ts";
import { replay } from "./benches/replay.ts";
import { resume } from "./benches/resume.ts";
import { retention } from "./benches/retention.ts";
import { revocation } from "./benches/revocation.ts";
import { start } from "./benches/start.ts";
import { unread } from "./benches/unread.ts";
import { unreadAnswers } from "./benches/unread-answers.ts";
import type { Bench } from "./lib/bench.ts";

/** Every bench, in the order of the report. */
export const benches: readonly Bench[] = [
  publishHttp,
  publishNdjson,
  publishWebsocket,
  idempotency,
  publishFull,
  fanOut,
  fanOutStream,
  beside,
  catchUp,
  resume,
  manyPatterns,
  replay,
  latency,
  crowd,
  consume,
  consumers,
  history,
  questions,
  manyTopics,
  millionTopics,
  holds,
  retention,
  backup,
  start,
  memory,
  unread,
  chains,
  unreadAnswers,
  pattern,
  envelope,
  auth,
  peers,
  cluster,
  revocation,
];
