import { expect, test } from "bun:test";
import { smtpFuzz } from "./smtp.ts";

test("the SMTP engine says the same however hostile bytes are cut", () => {
  for (let seed = 0; seed < 500; seed++) smtpFuzz.run(seed);
  expect(smtpFuzz.name).toBe("smtp");
});
