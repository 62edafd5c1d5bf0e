import { describe, expect, test } from "bun:test";
import { sliceMembers } from "../../../src/http/request/members.ts";
import { busErrorOf } from "../../helpers/bus-error.ts";

describe("the members of an object", () => {
  test("are read as text, as JSON on one line and as a value", () => {
    const members = sliceMembers(' { "type" : "ping" , "ref" : 1.0, "data": [\n1 ] } ');
    expect(members.value("type")).toBe("ping");
    expect(members.raw("ref")).toBe("1.0");
    expect(members.raw("data")).toBe("[\n1 ]");
    expect<string | undefined>(members.json("data")).toBe("[1 ]");
  });

  test("that are missing are undefined in every form", () => {
    const members = sliceMembers("{}");
    for (const name of ["type", "", "__proto__", "constructor", "length"]) {
      expect([members.raw(name), members.json(name), members.value(name)]).toEqual([undefined, undefined, undefined]);
    }
  });

  test.each(['"a.b"', '""', '"\\u0061"', '"a\\\\"', "1", "null", '["a"]'])(
    "have the same value shared as parsed: %s",
    (json) => {
      const members = sliceMembers(`{"topic":${json}}`);
      expect(members.sharedValue("topic")).toEqual(members.value("topic"));
      expect(members.sharedValue("source")).toBeUndefined();
    },
  );

  test("may be named like the built-in members of an object", () => {
    expect(sliceMembers('{"__proto__":{"a":1}}').raw("__proto__")).toBe('{"a":1}');
    expect(sliceMembers('{"":1}').raw("")).toBe("1");
  });

  test("have their names checked after they were cut", () => {
    const members = sliceMembers('{"type":"ping","pattern":"*"}');
    members.requireOnly(["type", "pattern"]);
    const error = busErrorOf(() => members.requireOnly(["type", "ref"]));
    expect<unknown[]>([error.code, error.members]).toEqual(["parameter_unknown", { parameter: "pattern" }]);
  });

  test("must not have the same name twice, whatever the names", () => {
    const error = busErrorOf(() => sliceMembers('{"x":1,"\\u0078":1}'));
    expect<unknown[]>([error.code, error.members]).toEqual(["parameter_invalid", { parameter: "x" }]);
  });

  test("are rejected with an example of an object if the text is not an object", () => {
    expect(busErrorOf(() => sliceMembers("1")).message).toContain('an object like {"type":…}');
    expect(busErrorOf(() => sliceMembers("1", '{"a":…}')).message).toContain('an object like {"a":…}');
  });
});

describe("the name of an unknown member", () => {
  const parameterOf = (name: string) =>
    busErrorOf(() => sliceMembers(`{${name}:1}`).requireOnly(["topic"])).members.parameter;

  test("is repeated up to 64 characters, none of them halved", () => {
    expect(parameterOf(`"${"a".repeat(64)}"`)).toBe("a".repeat(64));
    expect(parameterOf(`"${"a".repeat(65)}"`)).toBe("a".repeat(64));
    expect(parameterOf(`"${"😀".repeat(65)}"`)).toBe("😀".repeat(64));
    expect(parameterOf(`"a${"😀".repeat(200)}"`)).toBe(`a${"😀".repeat(63)}`);
  });

  test("is repeated as valid Unicode", () => {
    expect(parameterOf('"\\ud800a"')).toBe("\uFFFDa");
  });
});

describe("an object of very many members", () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => `"m${index}":${index}`).join(",");

  test("is rejected for one that is unknown, though the first ones are known", () => {
    const members = sliceMembers(`{"topic":"a","data":1,${many(50)}}`);
    expect(busErrorOf(() => members.requireOnly(["topic", "data"])).members).toEqual({ parameter: "m0" });
  });

  test("is checked to its end", () => {
    expect(busErrorOf(() => sliceMembers(`{${many(50)},"x":nul}`)).code).toBe("json_invalid");
  });

  test("costs no more for each one", () => {
    const text = `{${many(100_000)}}`;
    const start = performance.now();
    sliceMembers(text);
    expect(performance.now() - start).toBeLessThan(1000);
  });
});
