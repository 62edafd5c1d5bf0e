import { expect, test } from "bun:test";
import { Cluster } from "../helpers/cluster.ts";
import { openDashboard } from "../helpers/dashboard.ts";
import { publish } from "../helpers/http.ts";
import { describeWith } from "../helpers/requires.ts";

describeWith("nats-server", "a cluster", () => {
  describeWith("chromium", "in the dashboard", () => {
    test("shows its nodes under Health, and whether NATS can be reached", async () => {
      await using cluster = await Cluster.start({ nodes: 2 });
      await publish(cluster.node(0).url, "a");
      await using dashboard = await openDashboard(cluster.node(0).url, "#/health");
      const section = dashboard.page.getByRole("region", { name: "Cluster eventbus" });
      await section.getByText("Connected to NATS").waitFor();
      await section.getByRole("row").nth(2).waitFor();
      expect(await section.getByText("(this one)").count()).toBe(1);
      cluster.node(0).cutOff();
      await section.getByText("NATS cannot be reached").waitFor();
    });
  });
});
