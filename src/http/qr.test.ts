import { expect, test } from "bun:test";
import { encode } from "uqr";
import { qrSvg } from "./qr.ts";

test("the runs of the path are exactly the dark modules", () => {
  const text = "dclogin:abcdefgh@[192.0.2.1]/?p=abcdefghijklmnop&v=1&ih=192.0.2.1&ip=993&is=ssl&ic=3";
  const svg = qrSvg(text, "code");
  const { data, size } = encode(text, { ecc: "M", border: 2 });
  const drawn = data.map((row) => row.map(() => false));
  for (const [, x, y, run] of svg.matchAll(/M(\d+) (\d+)h(\d+)v1h-\3z/g)) {
    for (let i = 0; i < Number(run); i++) {
      const row = drawn[Number(y)];
      if (row) row[Number(x) + i] = true;
    }
  }
  expect(drawn).toEqual(data);
  expect(svg).toContain(`viewBox="0 0 ${size} ${size}"`);
  expect(svg.length).toBeLessThan(20_000);
});

test("the label can't leave its attribute", () => {
  expect(qrSvg("x", 'a"><script>')).toContain('aria-label="a&quot;>&lt;script>"');
});
