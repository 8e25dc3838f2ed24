import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { filesOf, packageOptions } from "../testing/script.ts";
import { buildPackage } from "./package.ts";
import { parameterPieces, UnknownReference } from "./parameters.ts";

const jobOf = (parameters: Readonly<Record<string, string>>, proxyUser?: string) =>
  filesOf(buildPackage({ ...packageOptions, parameters, proxyUser }).zip).get("demo_ab13c7.job");

describe("the published package", () => {
  it("holds one job, named like the flow, and its script", () => {
    const built = buildPackage(packageOptions);
    expect(built.fileName).toBe("demo_ab13c7.zip");
    expect([...filesOf(built.zip).keys()]).toEqual([
      "aiep-run.sh",
      "demo_ab13c7.job",
      "hmac.sh",
      "settings.sh",
    ]);
  });

  it("starts the script with what the scheduler knows, each word whole with a shell and without", () => {
    expect(jobOf({ a: "${run_date - 1}/x", b: "plain 'text' $(1+2)", c: "${name}" }, "hadoop")).toMatch(
      /^type=command\ncomment=AIEP experiment ab13c7538f0e4d2a9b6c1d2e3f405162 version v3 package [0-9a-f]{12}\ncommand=sh aiep-run\.sh execution=\$\{azkaban\.flow\.execid\} attempt=\$\{azkaban\.job\.attempt\} 'run_date=\$\{run_date\}' '=\$\{run_date - 1\}' '=\$\{name\}'\nretries=0\nuser\.to\.proxy=hadoop\n$/,
    );
  });

  it("is the same for the same experiment, another in every byte that matters otherwise", () => {
    const first = buildPackage(packageOptions);
    expect(buildPackage(packageOptions)).toEqual(first);
    const others = [
      { versionName: "v4" },
      { parameters: { a: "1" } },
      { secret: `whsec_${"b".repeat(43)}=` },
    ];
    for (const other of others)
      expect(buildPackage({ ...packageOptions, ...other }).comment).not.toBe(first.comment);
  });

  it("holds its secret in one file, that the scheduler does not show", () => {
    const key = Buffer.from(packageOptions.secret.slice(6), "base64");
    const holders = [...filesOf(buildPackage(packageOptions).zip)].filter(
      ([, text]) => text.includes(key.toString("hex", 0, 4)) || text.includes(packageOptions.secret.slice(6)),
    );
    expect(holders.map(([name]) => name)).toEqual(["settings.sh"]);
  });
});

describe("parameters", () => {
  const joined = (parameters: Readonly<Record<string, string>>) =>
    parameterPieces(parameters)
      .map(({ kind, text }) => (kind === "text" ? text : `<${text}>`))
      .join("");

  it("none are nothing", () => expect(parameterPieces({})).toEqual([]));

  it("are cut where the scheduler puts something in", () => {
    expect(joined({ a: "x${run_date}y${b.c}", b: "" })).toBe(
      ',"parameters":{"a":"x<${run_date}>y<${b.c}>","b":""}',
    );
  });

  it.each(["${run_mon_end}", "${run_mon_end_std-1}"])(
    "%s is left to the trigger's side: WTSS would fail the job",
    (value) => expect(joined({ a: value })).toBe(`,"parameters":{"a":"${value}"}`),
  );

  it.each(["${", "a${}", "${a b}", "${run_date-01}", "${run_date*2}", "${${a}}", "${run_mon_end} ${"])(
    "%s is refused when it is published",
    (value) => expect(() => parameterPieces({ a: value })).toThrow(UnknownReference),
  );

  it("whatever they hold, the text is ASCII and the JSON that was meant", () => {
    const text = fc
      .oneof(fc.string(), fc.string({ unit: "binary" }))
      .filter((value) => !value.includes("${") && value !== "__proto__");
    fc.assert(
      fc.property(fc.dictionary(text, text, { noNullPrototype: true }), (parameters) => {
        const body = `{"x":1${joined(parameters)}}`;
        expect(body).toMatch(/^[\x20-\x7e]*$/);
        if (Object.keys(parameters).length > 0) expect(JSON.parse(body)).toEqual({ x: 1, parameters });
      }),
    );
  });
});
