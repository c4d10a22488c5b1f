import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { parseAddress } from "../core/address.ts";
import { fromLatin1, fromUtf8, toLatin1, toUtf8 } from "../core/bytes.ts";
import { type HttpResponse, parseResponse } from "./response.ts";
import { overrideRoutes, routesOf, type RouteSettings } from "./routes.ts";
import { allowsHost, readStsId, readStsPolicy } from "./sts-policy.ts";
import { readAnswer, readEnvelope, splitRecipients, writeRequestHead } from "./wire.ts";

const addresses = (count: number) =>
  Array.from({ length: count }, (_, i) => parseAddress(`user${i}@there.test`)).filter((a) => a !== undefined);

test("every recipient of a large group is in exactly one request, and no head is large", () => {
  for (const count of [1, 2, 200, 1000]) {
    const groups = splitRecipients(addresses(count));
    expect(groups.flat()).toEqual(addresses(count));
    for (const recipients of groups) {
      const head = writeRequestHead({
        host: "mx.test",
        path: "/mxdeliv",
        sender: null,
        recipients,
        bytes: 1,
      });
      expect(head.length).toBeLessThan(7000);
    }
  }
});

test("an envelope beyond ASCII survives the fields' Latin-1", () => {
  const sender = parseAddress("jürgen@there.test");
  const head = writeRequestHead({ host: "x", path: "/", sender: sender ?? null, recipients: [], bytes: 0 });
  const field = /X-Mail-From: (.*)\r/.exec(toUtf8(head))?.[1] ?? "";
  const headers = {
    get: (name: string) => (name === "X-Mail-From" ? toLatin1(fromUtf8(field)) : "a@b.test"),
  };
  expect(readEnvelope(headers)).toMatchObject({ ok: true, sender: sender as unknown as string });
});

const answerRows: readonly [status: number, type: string, body: string, want: string][] = [
  [200, "text/plain", "OK", "taken"],
  [200, "", "250 OK", "taken"],
  [200, "text/plain", "250 2.0.0 Ok: queued as 4XyZ", "taken"],
  [202, "", "", "taken"],
  [200, "text/html; charset=utf-8", "", "unusable"],
  [200, "text/html", "<!doctype html>OK", "unusable"],
  [200, "application/json", '{"ok":true}', "unusable"],
  [200, "text/plain", "451 4.3.0 later", "unusable"],
  [400, "text/plain", "554 5.7.1 No DKIM signature found", "refused"],
  [400, "text/plain", "250 OK", "unusable"],
  [400, "text/plain", "Bad Request", "unusable"],
  [403, "text/plain", "523 5.7.1 Encryption Needed", "refused"],
  [404, "text/plain", "404 page not found", "unusable"],
  [503, "text/plain", "503 Service Unavailable", "unusable"],
  [301, "", "550 5.1.1 moved", "unusable"],
  [500, "text/plain", "4510 nonsense", "unusable"],
];
for (const [status, type, body, want] of answerRows) {
  test(`HTTP ${status} ${type} with "${body}" is ${want}`, () => {
    expect(readAnswer(status, type, body).kind).toBe(want as "taken");
  });
}

const whole = (status: number, body: string, isReusable: boolean): HttpResponse => ({
  status,
  contentType: "",
  body,
  isReusable,
});
const responseRows: readonly [text: string, want: HttpResponse][] = [
  ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK", whole(200, "OK", true)],
  ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK", whole(200, "OK", false)],
  ["HTTP/1.0 200 OK\r\ncontent-length:2\r\n\r\nOK", whole(200, "OK", false)],
  ["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n", whole(204, "", true)],
  [
    "HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n554\r\n4;x=y\r\n No!\r\n0\r\n\r\n",
    whole(400, "554 No!", true),
  ],
  ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", whole(200, "", true)],
];
for (const [text, response] of responseRows) {
  test(`the response ${JSON.stringify(text.slice(0, 60))} is whole at its last byte and not before`, () => {
    const bytes = fromLatin1(text);
    for (let end = 0; end < bytes.length; end++) {
      expect(parseResponse(bytes.subarray(0, end), false).kind).toBe("more");
      expect(parseResponse(bytes.subarray(0, end), true).kind).toBe("garbage");
    }
    expect(parseResponse(bytes, false)).toEqual({ kind: "whole", response });
  });
}

test("a response of unknown length ends with the connection", () => {
  const bytes = fromLatin1("HTTP/1.1 200 OK\r\n\r\n250 OK");
  expect(parseResponse(bytes, false).kind).toBe("more");
  expect(parseResponse(bytes, true)).toEqual({ kind: "whole", response: whole(200, "250 OK", false) });
});

test("no bytes make the response reader throw", () => {
  const pieces = fc.constantFrom(
    "HTTP/1.1 ",
    "200 OK",
    "100 x",
    "\r\n",
    "\r\n\r\n",
    "Content-Length: ",
    "5",
    "-1",
    "Transfer-Encoding: chunked",
    "0",
    "ffffff",
    "x",
  );
  fc.assert(
    fc.property(
      fc.array(fc.oneof(pieces, fc.string({ maxLength: 5 })), { maxLength: 15 }),
      fc.boolean(),
      (all, ended) => {
        parseResponse(fromUtf8(all.join("")), ended);
      },
    ),
    { numRuns: 2000 },
  );
});

const idRows: readonly [records: string[], want: string | undefined][] = [
  [["v=STSv1; id=20160831085700Z;"], "20160831085700Z"],
  [["v=STSv1;id=a"], "a"],
  [["v=spf1 -all", "v=STSv1; id=b; x=y"], "b"],
  [["v=STSv1; id=a;", "v=STSv1; id=b;"], undefined],
  [["v=STSv2; id=a;"], undefined],
  [["v=STSv1; id=has-hyphen;"], undefined],
  [[], undefined],
];
for (const [records, want] of idRows) {
  test(`the MTA-STS id of ${JSON.stringify(records)}`, () => expect(readStsId(records)).toBe(want));
}

test("an MTA-STS policy is read whole or not at all", () => {
  const text =
    "version: STSv1\r\nmode: enforce\r\nmx: Mail.there.test\r\nmx: *.mx.test\r\nmax_age: 604800\r\n";
  const policy = readStsPolicy(text);
  if (policy === undefined) throw new Error("not read");
  expect(policy).toEqual({ mode: "enforce", mx: ["mail.there.test", "*.mx.test"], maxAgeS: 604_800 });
  for (const [host, want] of [
    ["mail.there.test", true],
    ["a.mx.test", true],
    ["a.b.mx.test", false],
    ["mx.test", false],
    ["evil.test", false],
  ] as const) {
    expect(allowsHost(policy, host)).toBe(want);
  }
  for (const line of ["version: STSv1\r\n", "mode: enforce\r\n", "max_age: 604800\r\n"]) {
    expect(readStsPolicy(text.replace(line, ""))).toBeUndefined();
  }
  expect(readStsPolicy(text.replaceAll(/mx: .*\r\n/g, ""))).toBeUndefined();
  expect(readStsPolicy("version: STSv1\nmode: none\nmax_age: 1\n")?.mode).toBe("none");
});

const settings: RouteSettings = {
  tls: "verified",
  plainHttp: "relaxed",
  ports: { https: 443, http: 80, smtp: 25 },
};
const wayRows: readonly [domain: string, over: Partial<RouteSettings>, isEnforced: boolean, want: string][] =
  [
    ["there.test", {}, false, "https+ smtp+"],
    ["there.test", { plainHttp: "always" }, false, "https+ http+ smtp+"],
    ["there.test", { plainHttp: "always" }, true, "https+ smtp+"],
    ["there.test", { tls: "encrypted" }, false, "https- smtp-"],
    ["there.test", { tls: "opportunistic" }, false, "https- smtp-?"],
    ["there.test", { tls: "opportunistic" }, true, "https+ smtp+"],
    ["_there.test", {}, false, "https- http- smtp-"],
    ["_there.test", { plainHttp: "never" }, false, "https- smtp-"],
    ["[192.0.2.1]", {}, false, "https- http- smtp-"],
  ];
for (const [domain, over, isEnforced, want] of wayRows) {
  test(`ways to ${domain} with ${JSON.stringify(over)}${isEnforced ? ", enforced" : ""}: ${want}`, () => {
    const { ways } = routesOf("mx.test", domain, { ...settings, ...over }, isEnforced);
    const shown = ways.map(
      ({ route, verify, needsTls }) =>
        `${route}${verify ? "+" : "-"}${route === "smtp" && !needsTls ? "?" : ""}`,
    );
    expect(shown.join(" ")).toBe(want);
  });
}

const overrideRows: readonly [text: string, want: string | undefined][] = [
  ["other.test", "other.test https:443/mxdeliv+ smtp:25/mxdeliv+"],
  ["Other.test:8443", "other.test https:8443/mxdeliv+"],
  ["192.0.2.1", "192.0.2.1 https:443/mxdeliv- http:80/mxdeliv- smtp:25/mxdeliv-"],
  ["[2001:db8::1]:8443", "2001:db8::1 https:8443/mxdeliv-"],
  ["https://ex.test", "ex.test https:443/mxdeliv+"],
  ["http://ex.test:8080/in", "ex.test http:8080/in+"],
  ["smtp://mx.test:2525", "mx.test smtp:2525/mxdeliv+"],
  ["ftp://ex.test", undefined],
  ["two words", undefined],
  ["", undefined],
];
for (const [text, want] of overrideRows) {
  test(`the override "${text}"`, () => {
    const routes = overrideRoutes(text, settings);
    const ways = routes?.ways.map((way) => `${way.route}:${way.port}${way.path}${way.verify ? "+" : "-"}`);
    expect(routes === undefined ? undefined : `${routes.host} ${ways?.join(" ")}`).toBe(want);
  });
}
