import { expect, test } from "bun:test";
import { signAws } from "./aws-signature.ts";

/** The example of AWS's own documentation and test suite. */
const credentials = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};
const NOW_MS = Date.parse("2015-08-30T12:36:00Z");

const signatureOf = (url: string, over: { method?: string; sessionToken?: string } = {}) => {
  const { method = "GET", sessionToken } = over;
  const request = { method, url: new URL(url), body: "", region: "us-east-1", service: "service" };
  return signAws(request, { ...credentials, sessionToken }, NOW_MS);
};

for (const [name, url, method, signature] of [
  [
    "get-vanilla",
    "https://example.amazonaws.com/",
    "GET",
    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
  ],
  [
    "get-vanilla-query-order-key-case",
    "https://example.amazonaws.com/?Param2=value2&Param1=value1",
    "GET",
    "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
  ],
  [
    "post-vanilla",
    "https://example.amazonaws.com/",
    "POST",
    "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
  ],
  [
    "get-utf8",
    "https://example.amazonaws.com/ሴ",
    "GET",
    "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
  ],
] as const) {
  test(`signs ${name} of the published test suite`, () => {
    expect(signatureOf(url, { method })).toEqual({
      "x-amz-date": "20150830T123600Z",
      authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`,
    });
  });
}

test("a session token is sent and signed", () => {
  const headers = signatureOf("https://example.amazonaws.com/", { sessionToken: "token" });
  expect(headers["x-amz-security-token"]).toBe("token");
  expect(headers["authorization"]).toContain("SignedHeaders=host;x-amz-date;x-amz-security-token,");
});
