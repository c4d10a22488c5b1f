import { describe, expect, test } from "bun:test";
import { configFromText } from "../config/read.ts";
import { type Directive, parseMaddyConf } from "./maddy-conf.ts";
import { convertMaddyConf } from "./maddy-toml.ts";
import { SourceError } from "./source.ts";

const files: Record<string, string> = { "more.conf": "from_file yes\n", "loop.conf": "import loop.conf\n" };
const parse = (text: string) =>
  parseMaddyConf(text, "m.conf", { env: { HOST: "env.test" }, readFile: (name) => files[name] });

/** `name args {block}` as one line each. */
const show = (directives: readonly Directive[]): string[] =>
  directives.map(({ name, args, block }) =>
    [
      name,
      ...args.map((arg) => `<${arg}>`),
      ...(block === undefined ? [] : [`{${show(block).join("; ")}}`]),
    ].join(" "),
  );

const rows: [string, string, string[]][] = [
  ["arguments and comments", "a 1  2 # c\n# d\n\nb\n", ["a <1> <2>", "b"]],
  ["a quoted argument", 'a "x y" "{" "say \\"hi\\""\n', ['a <x y> <{> <say "hi">']],
  ["a line that goes on", "a 1 \\\n   2\nb\n", ["a <1> <2>", "b"]],
  ["blocks", "a x {\n  b {\n c\n }\n}\nd { }\n", ["a <x> {b {c}}", "d {}"]],
  ["macros, alone and inside", "$(m) = 1 2\n$(n) = z\na $(m) x$(n)y $(none)\n", ["a <1> <2> <xzy>"]],
  ["macros of macros", "$(a) = x\n$(b) = $(a) y\nc $(b)\n", ["c <x> <y>"]],
  ["snippets", "(s) {\n  b $(m)\n}\n$(m) = 1\na {\n  import s\n}\n", ["a {b <1>}"]],
  ["files", "import more.conf\n", ["from_file <yes>"]],
  ["the environment", "hostname {env:HOST} x{env:NONE}y\n", ["hostname <env.test> <xy>"]],
  ["CRLF and no newline at the end", "a 1\r\nb {\r\nc\r\n}", ["a <1>", "b {c}"]],
];

for (const [name, text, want] of rows) {
  test(`parseMaddyConf() reads ${name}`, () => {
    expect(show(parse(text).directives)).toEqual(want);
  });
}

const faults: [string, string, string][] = [
  ["an open block", "a {\nb\n", "m.conf:1: the block is not closed"],
  ["a stray brace", "a\n}\n", "m.conf:2: `}` without `{`"],
  ["text behind a brace", "a {\n} b\n", "m.conf:2: expected a new line after `}`"],
  ["an open quote", 'a\nb "x\n', "m.conf:2: a quote is not closed"],
  ["a name that begins with a digit", "1a x\n", "m.conf:1: 1a cannot be the name of a directive"],
  ["a macro in a block", "a {\n $(m) = 1\n}\n", "m.conf:2: macros can be set at the top level only"],
  ["several values inside a text", "$(m) = 1 2\na x$(m)\n", "m.conf:2: $(m) has several values"],
  ["an import of nothing", "import none\n", "m.conf:1: there is no snippet and no file none"],
  ["files that import each other", "import loop.conf\n", "too many imports"],
  ["blocks without end", "a {\n".repeat(300), "blocks nest too deep"],
];

for (const [name, text, want] of faults) {
  test(`parseMaddyConf() refuses ${name}, with its place`, () => {
    expect(() => parse(text)).toThrow(SourceError);
    expect(() => parse(text)).toThrow(want);
  });
}

describe("convertMaddyConf()", () => {
  const convert = (text: string) => convertMaddyConf(parse(text), "m.conf");

  test("makes a file that this program reads, with what the other said", () => {
    const { toml } = convert(`$(primary_domain) = relay.test
$(local_domains) = $(primary_domain) other.test
hostname mx.relay.test
tls file /c.pem /k.pem
storage.imapsql s {
  default_quota 1G
  appendlimit 40M
}
submission tls://0.0.0.0:465 tcp://:587 {
  max_message_size 50M
}
turn udp://0.0.0.0:3478 {
  secret 0123456789abcdef
}
`);
    const config = configFromText(toml.toString(), "x.toml", { stateDir: "/s" });
    expect(config).toMatchObject({
      hostname: "mx.relay.test",
      domains: ["relay.test", "other.test"],
      tls: { mode: "file", cert: "/c.pem", key: "/k.pem" },
      accounts: { default_quota: 2 ** 30 },
      limits: { message_size: 40 * 2 ** 20 },
      turn: { secret: "0123456789abcdef" },
    });
    expect(config.listen.submissions).toEqual([{ host: "0.0.0.0", port: 465 }]);
    expect(config.listen.submission).toEqual([{ host: "0.0.0.0", port: 587 }]);
  });

  test("names every directive that it does not take, secrets without their text", () => {
    const { notTaken, toml } = convert(
      "nonsense 1\nimap tcp://:143 {\n  odd yes\n  turn_secret short\n}\ndebug yes\n",
    );
    expect(notTaken.map(({ what }) => what)).toEqual([
      "m.conf:1: nonsense 1",
      "m.conf:3: odd yes",
      "turn secret = …",
    ]);
    expect(toml.toString()).toContain("#   m.conf:1: nonsense 1  (unknown here)");
    expect(toml.toString()).not.toContain("short");
  });

  test("no text of the other file leaves its comment or string", () => {
    const { toml } = convert(
      'turn udp://:1 {\n  realm "x\\"\n[listen]\nsmtp = []\n#"\n}\nodd "a\n[tls]\nb"\n',
    );
    const config = configFromText(`domains = ["a.test"]\n${toml.toString()}`, "x.toml", { stateDir: "/s" });
    expect([config.listen.smtp.length, config.tls.mode]).toEqual([2, "self-signed"]);
  });
});
