import { expect, test } from "bun:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { chooseCoding, type Coding, PageCache, Prepared } from "./prepared.ts";

const TEXT = "<p>hello</p>".repeat(200);

const codingRows: readonly [header: string | null, want: Coding][] = [
  [null, "identity"],
  ["", "identity"],
  ["gzip, deflate, br, zstd", "br"],
  ["gzip, deflate", "gzip"],
  ["br;q=0, gzip;q=0.5", "gzip"],
  ["br; q=0.0 , gzip;q=0", "identity"],
  ["BR", "br"],
  ["brotli, xgzip", "identity"],
];
for (const [header, want] of codingRows) {
  test(`Accept-Encoding ${header} gets ${want}`, () => {
    expect(chooseCoding(header)).toBe(want);
  });
}

for (const [coding, decode] of [
  ["br", brotliDecompressSync],
  ["gzip", gunzipSync],
] as const) {
  test(`an answer in ${coding} decodes to the text`, async () => {
    const request = new Request("http://a.test/", { headers: { "accept-encoding": coding } });
    const answer = await new Prepared(TEXT).answer(request, { "Content-Type": "text/html" });
    expect(answer.headers.get("content-encoding")).toBe(coding);
    expect(decode(await answer.arrayBuffer()).toString()).toBe(TEXT);
  });
}

for (const known of ["ETAG", 'W/"x", ETAG', "*", "STRONG"]) {
  test(`who knows it (${known}) is told so without a body`, async () => {
    const prepared = new Prepared(TEXT);
    const value = known.replace("ETAG", prepared.etag).replace("STRONG", prepared.etag.slice(2));
    const request = new Request("http://a.test/", { headers: { "if-none-match": value } });
    const answer = await prepared.answer(request, {});
    expect(answer.status).toBe(304);
    expect(await answer.text()).toBe("");
    expect(answer.headers.get("etag")).toBe(prepared.etag);
  });
}

test("a page is rendered again when its facts change, and only then", () => {
  const cache = new PageCache();
  let rendered = 0;
  const get = (facts: string) => cache.get("home", facts, () => `${facts} ${++rendered}`);
  expect(get("a")).toBe(get("a"));
  expect(get("b")).not.toBe(get("a"));
  expect(rendered).toBe(3);
});
