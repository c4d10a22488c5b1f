/**
 * What of the RFCs that we speak is not there, or not all of it, and why. Everything else that the code cites is
 * implemented; `TODO(RFC …)` in the code marks a gap too. An entry goes when its section is done.
 */

export interface RfcStatus {
  rfc: number;
  /** `6.4.10`, or empty for the RFC as a whole. */
  section: string;
  status: "partly" | "no";
  reason: string;
}

export const rfcStatus: readonly RfcStatus[] = [
  entry(
    3030,
    "3",
    "no",
    "BINARYMIME is not announced: what is kept and passed on has lines that end with CRLF",
  ),
  entry(
    3461,
    "4",
    "partly",
    "NOTIFY, ORCPT, RET and ENVID are accepted and not acted on: who writes is told in the session",
  ),
  entry(3501, "2.3.2", "partly", "\\Recent is never set, as in RFC 9051"),
  entry(3502, "", "no", "MULTIAPPEND: clients of ours upload one message at a time"),
  entry(3516, "", "no", "BINARY: clients decode parts themselves, mostly after decryption"),
  entry(4467, "", "no", "URLAUTH: no client of ours passes mail by reference"),
  entry(
    5032,
    "",
    "no",
    "WITHIN: searches by age are for archives, and mail leaves this server once it is fetched",
  ),
  entry(5228, "", "no", "Sieve: the server cannot read what it would sort"),
  entry(
    5256,
    "",
    "no",
    "SORT and THREAD: subjects and references of encrypted mail are inside the encryption",
  ),
  entry(
    5321,
    "3.5",
    "partly",
    "VRFY answers 252 to anything and EXPN is not there: account names cannot be found out",
  ),
  entry(5321, "3.9", "no", "aliases and mailing lists: groups are made by clients, end to end"),
  entry(
    5321,
    "4.4",
    "partly",
    "Received lines of submitted mail are taken off and none is added, so that nothing tells about users",
  ),
  entry(5464, "4.3", "partly", "what can be set is the device token; the operator's entries are read-only"),
  entry(5465, "", "no", "NOTIFY: IDLE is what clients use, and one mailbox is what they watch"),
  entry(
    6409,
    "8",
    "partly",
    "a submitted message is not completed: Date and Message-ID are the client's business",
  ),
  entry(
    7162,
    "3.2.5.2",
    "partly",
    "sequence match data is read and not used: it would only shorten an answer",
  ),
  entry(7628, "", "no", "OAUTHBEARER: passwords are made by clients and never typed"),
  entry(
    7677,
    "",
    "no",
    "SCRAM: stored hashes are argon2id, which SCRAM cannot verify; the line is always encrypted",
  ),
];

function entry(rfc: number, section: string, status: RfcStatus["status"], reason: string): RfcStatus {
  return { rfc, section, status, reason };
}
