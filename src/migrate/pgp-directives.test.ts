import { expect, test } from "bun:test";
import { parseMaddyConf } from "./maddy-conf.ts";
import { pgpDirectives } from "./pgp-directives.ts";

const conf = `submission tls://0.0.0.0:465 {
  require_pgp no
  pgp_passthrough_senders a@x.test b@x.test
}
smtp tcp://0.0.0.0:25 {
  require_pgp yes
  pgp_allow_secure_join
}
`;

test("what changes for mail is told apart from what stays, with its place", () => {
  const { directives } = parseMaddyConf(conf, "maddy.conf", { env: {}, readFile: () => undefined });
  expect(
    pgpDirectives(directives).map(({ line, name, meaning }) => [line, name, meaning.startsWith("CHANGES")]),
  ).toEqual([
    [2, "require_pgp", true],
    [3, "pgp_passthrough_senders", true],
    [6, "require_pgp", false],
    [7, "pgp_allow_secure_join", false],
  ]);
});
