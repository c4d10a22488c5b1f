/**
 * Mail to many servers, of which some hang and some refuse, with kill -9 in the middle: who is well gets everything, once
 * as far as SMTP allows, and who was refused is reported. `bun run bench federation-torture` is the same, larger.
 */
import { expect, test } from "bun:test";
import { torture } from "../support/torture.ts";

const TIMEOUT_MS = 50_000;
const CONCURRENCY = 24;
/** Listeners, database, mailboxes, the senders' connections. */
const OTHER_FILES = 100;
/** One attempt: a connection, and what is read of the queue for it; connections that are kept; questions to the DNS. */
const FILES_PER_ATTEMPT = 6;
const KEPT_CONNECTIONS = 128;

test(
  "servers that are well get all mail once, whatever the others and a kill do",
  async () => {
    const result = await torture({
      name: "federation-torture",
      messages: 500,
      destinations: 50,
      senders: 4,
      bytes: 4_000,
      killAfter: 120,
      concurrency: CONCURRENCY,
      timeoutMs: TIMEOUT_MS - 10_000,
    });
    expect(result.missing).toEqual([]);
    expect(result.twiceInOneLife).toEqual([]);
    expect(result.unreported).toEqual([]);
    // What the kill caught between the other's "yes" and the note of it.
    expect(result.twice).toBeLessThanOrEqual(CONCURRENCY);
    expect(result.reportedTwice).toBeLessThanOrEqual(CONCURRENCY);
    expect(result.healthy).toBeGreaterThan(290);
    expect(result.filesPeak).toBeLessThan(OTHER_FILES + KEPT_CONNECTIONS + CONCURRENCY * FILES_PER_ATTEMPT);
  },
  TIMEOUT_MS,
);
