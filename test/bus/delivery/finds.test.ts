import { expect, test } from "bun:test";
import { AllFinds, Finds } from "../../../src/bus/delivery/finds.ts";

test("pages that pass few events say little about how common the events of the others are", () => {
  const all = new AllFinds(1000);
  for (let page = 0; page < 100; page++) all.add(0, 8);
  expect(new Finds(all).share).toBeGreaterThan(0.0005);
});

test("what all groups find is forgotten for what they find later", () => {
  const all = new AllFinds(1000);
  for (let page = 0; page < 100; page++) all.add(500, 1000);
  expect(all.share).toBeCloseTo(0.5, 2);
  for (let page = 0; page < 200; page++) all.add(10, 1000);
  expect(all.share).toBeLessThan(0.02);
});
