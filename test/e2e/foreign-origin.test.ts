import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import type { Config } from "../../src/config.ts";
import { launchChromium } from "../helpers/browser.ts";
import { describeWith } from "../helpers/requires.ts";
import { startService, type TestService } from "../helpers/service.ts";

/** Starting a browser takes a while on a small machine. */

/** What only a permitted reader can know. */
const SECRET = "kept from foreign pages";
/** A name that the browser resolves to 127.0.0.1, like one that an attacker has rebound. */
const REBOUND = "rebind.example";

/** What a page tries, with the bus at `url`; it resolves with all that the page has learned. Runs in the page. */
type Attempt = (url: string) => Promise<unknown>;

/** Each is to publish its event under the topic `published`. */
const publishing: Readonly<Record<string, Attempt>> = {
  "fetch of JSON, which needs a preflight": async (url) => {
    const headers = { "Content-Type": "application/json" };
    const body = '{"topic":"published"}';
    return (await fetch(`${url}/api/events/publish`, { method: "POST", headers, body })).text();
  },
  "fetch of JSON said to be a form, which needs none": async (url) => {
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    const body = '{"topic":"published"}';
    return (await fetch(`${url}/api/events/publish`, { method: "POST", headers, body })).text();
  },
  "fetch of text": async (url) =>
    (await fetch(`${url}/api/events/publish/published`, { method: "POST", body: "text" })).text(),
  "fetch whose answer it does not want to see": async (url) =>
    (await fetch(`${url}/api/events/publish/published`, { method: "POST", body: "text", mode: "no-cors" })).text(),
  "a form": (url) =>
    new Promise((resolve) => {
      document.body.innerHTML = `<iframe name="answer"></iframe>
        <form method="post" enctype="text/plain" target="answer" action="${url}/api/events/publish/published">
        <input name="a" value="b"></form>`;
      const frame = document.querySelector("iframe");
      if (frame) frame.onload = () => resolve(frame.contentDocument?.body.textContent);
      document.querySelector("form")?.submit();
    }),
  "a beacon": async (url) => navigator.sendBeacon(`${url}/api/events/publish/published`, "text"),
  "a frame of a WebSocket": (url) =>
    new Promise((resolve) => {
      const socket = new WebSocket(`${url.replace("http", "ws")}/api/events/subscribe?pattern=none`);
      socket.onopen = () => socket.send('{"type":"publish","topic":"published"}');
      socket.onmessage = ({ data }) => resolve(data);
      socket.onerror = () => resolve("");
    }),
};

/** What no origin may do, as the request does not say who asks, or is not a way to publish. */
const neverPublishing: Readonly<Record<string, Attempt>> = {
  "fetch without a referrer, which hides the origin": async (url) => {
    const hidden = { mode: "no-cors", referrerPolicy: "no-referrer" } as const;
    return (await fetch(`${url}/api/events/publish/published`, { method: "POST", body: "text", ...hidden })).text();
  },
  "an image": (url) =>
    new Promise((resolve) => {
      const image = new Image();
      image.onload = image.onerror = () => resolve("");
      image.src = `${url}/api/events/publish/published?data=1`;
    }),
};

const reading: Readonly<Record<string, Attempt>> = {
  "fetch of the history": async (url) => (await fetch(`${url}/api/events/history`)).text(),
  "fetch of a stream": async (url) => {
    const reader = (await fetch(`${url}/api/events/stream?since=all`)).body?.getReader();
    let text = "";
    while (!text.includes("data:")) text += new TextDecoder().decode((await reader?.read())?.value);
    await reader?.cancel();
    return text;
  },
  "an EventSource": (url) =>
    new Promise((resolve) => {
      const source = new EventSource(`${url}/api/events/stream?since=all`);
      source.onmessage = ({ data }) => resolve(data);
      source.onerror = () => resolve("");
    }),
  "a WebSocket": (url) =>
    new Promise((resolve) => {
      const socket = new WebSocket(`${url.replace("http", "ws")}/api/events/subscribe?since=all`);
      socket.onmessage = ({ data }) => resolve(data);
      socket.onerror = () => resolve("");
    }),
};

/** What a browser requests without naming an origin; no page ever sees the answer. Each ends by itself. */
const neverReading: Readonly<Record<string, Attempt>> = {
  "fetch that does not want to see": async (url) =>
    (await fetch(`${url}/api/events/history`, { mode: "no-cors" })).text(),
  "a script": (url) =>
    new Promise((resolve) => {
      const script = document.createElement("script");
      script.onload = script.onerror = () => resolve("");
      script.src = `${url}/api/events/history`;
      document.body.append(script);
    }),
  "an image that is a stream": (url) =>
    new Promise((resolve) => {
      const image = new Image();
      image.onload = image.onerror = () => resolve("");
      image.src = `${url}/api/events/stream?since=all`;
    }),
  "a frame that holds a stream": (url) =>
    new Promise((resolve) => {
      const frame = document.createElement("iframe");
      frame.onload = () => resolve(frame.contentDocument?.body.textContent);
      frame.src = `${url}/api/events/stream?since=all`;
      document.body.append(frame);
    }),
};

/** Resolves with all that the page has learned, once the bus has answered or the browser has given up. */
async function attemptIn(page: Page, attempt: Attempt, url: string): Promise<string> {
  const evaluate = () => page.evaluate(`(${attempt})(${JSON.stringify(url)}).catch(String)`);
  if (attempt !== publishing["a beacon"]) return String(await evaluate());
  // A beacon does not wait for its answer, so the test does.
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => resolve();
  page.once("requestfinished", done).once("requestfailed", done);
  const learned = await evaluate();
  await promise;
  page.off("requestfinished", done).off("requestfailed", done);
  return String(learned);
}

describeWith("chromium", "a page in a real browser", (chromiumPath) => {
  let browser: Browser;
  /** Where the foreign pages come from. */
  let elsewhere: ReturnType<typeof Bun.serve>;

  beforeAll(async () => {
    elsewhere = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: emptyPage });
    browser = await launchChromium(chromiumPath, [`--host-resolver-rules=MAP ${REBOUND} 127.0.0.1`]);
  });
  afterAll(async () => {
    await browser?.close();
    await elsewhere?.stop(true);
  });

  /** A page of this address; what is below the bus itself is made up, as the bus serves no such page. */
  async function openPage(address: string): Promise<Page> {
    const page = await browser.newPage();
    if (!address.includes(String(elsewhere.port)) && address.startsWith("http")) {
      await page.route(address, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
    }
    await page.goto(address);
    return page;
  }

  const foreign: Readonly<Record<string, (port: number) => string>> = {
    "of another port": () => `http://127.0.0.1:${elsewhere.port}/page`,
    "of another name and port": () => `http://localhost:${elsewhere.port}/page`,
    "of another name for the same port": (port) => `http://localhost:${port}/page`,
    "without an origin": () => "data:text/html,<!doctype html>",
  };

  for (const [whose, addressOf] of Object.entries(foreign)) {
    describe(whose, () => {
      let service: TestService;
      let page: Page;

      beforeAll(async () => {
        service = await startService();
        await service.bus.publish("secret", SECRET);
        page = await openPage(addressOf(service.port));
      });
      afterAll(async () => {
        await page?.close();
        await service?.[Symbol.asyncDispose]();
      });

      for (const [way, attempt] of Object.entries({ ...publishing, ...neverPublishing })) {
        test(`publishes nothing by ${way}`, async () => {
          await attemptIn(page, attempt, service.url);
          expect((await service.bus.topics()).map(({ topic }) => topic)).toEqual(["secret"]);
        });
      }

      for (const [way, attempt] of Object.entries({ ...reading, ...neverReading })) {
        test(`sees nothing by ${way}`, async () => {
          expect(await attemptIn(page, attempt, service.url)).not.toContain(SECRET);
        });
      }
    });
  }

  describe("of an allowed origin", () => {
    let service: TestService;
    let page: Page;

    beforeAll(async () => {
      service = await startService({ allowedOrigins: [`http://127.0.0.1:${elsewhere.port}`] });
      page = await openPage(`http://127.0.0.1:${elsewhere.port}/page`);
    });
    afterAll(async () => {
      await page?.close();
      await service?.[Symbol.asyncDispose]();
    });

    for (const [way, attempt] of Object.entries(publishing)) {
      test(`publishes by ${way}`, async () => {
        const before = service.bus.head;
        await attemptIn(page, attempt, service.url);
        expect(service.bus.head).toBe(before + 1);
      });
    }

    for (const [way, attempt] of Object.entries(reading)) {
      test(`sees what there is by ${way}`, async () => {
        expect(await attemptIn(page, attempt, service.url)).toContain('"topic":"published"');
      });
    }
  });

  describe("of a name that was rebound to the bus", () => {
    /** A page that came from this name and port before the bus was there, as it is with a name that is rebound. */
    async function rebound(config: Partial<Config>): Promise<{ service: TestService; page: Page; url: string }> {
      const attacker = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: emptyPage });
      const port = attacker.port ?? 0;
      const url = `http://${REBOUND}:${port}`;
      const page = await browser.newPage();
      await page.goto(`${url}/page`);
      await attacker.stop(true);
      return { service: await startService({ ...config, port }), page, url };
    }

    test("publishes nothing and sees nothing, though it is of the same origin", async () => {
      const { service, page, url } = await rebound({});
      await using _ = service;
      await service.bus.publish("secret", SECRET);
      for (const attempt of Object.values({ ...publishing, ...neverPublishing, ...neverReading })) {
        expect(await attemptIn(page, attempt, url)).not.toContain(SECRET);
      }
      for (const path of ["/api/events/history", "/api/events/stream"]) {
        const answer = await page.evaluate(async (asked) => (await fetch(asked)).text(), path);
        expect(JSON.parse(answer)).toMatchObject({ status: 403, code: "origin_forbidden" });
      }
      expect((await service.bus.topics()).map(({ topic }) => topic)).toEqual(["secret"]);
      await page.close();
    });

    test("does both when it is an allowed host", async () => {
      const { service, page, url } = await rebound({ allowedHosts: [REBOUND] });
      await using _ = service;
      for (const attempt of Object.values(publishing)) await attemptIn(page, attempt, url);
      expect(service.bus.head).toBe(Object.keys(publishing).length);
      for (const attempt of Object.values(reading)) {
        expect(await attemptIn(page, attempt, url)).toContain('"topic":"published"');
      }
      await page.close();
    });
  });
});

function emptyPage(): Response {
  return new Response("<!doctype html>", { headers: { "Content-Type": "text/html" } });
}
