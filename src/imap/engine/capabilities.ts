/** What we announce (RFC 9051 §7.2.2), by the state of the connection. */

/** What any mail server shows before login; nothing in it says "chatmail relay" to a prober. */
const GENERIC = "IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE";
/**
 * All we speak. XCHATMAIL and XDELTAPUSH are Delta Chat's: immediate deletion after download, push tokens.
 * NAMESPACE RFC 2342; UIDPLUS RFC 4315; UNSELECT RFC 3691; CONDSTORE, QRESYNC RFC 7162; ESEARCH RFC 4731;
 * LIST-EXTENDED RFC 5258; LIST-STATUS RFC 5819; SPECIAL-USE RFC 6154; MOVE RFC 6851; STATUS=SIZE RFC 8438;
 * QUOTA RFC 9208; METADATA RFC 5464; UTF8=ACCEPT RFC 6855; CHILDREN RFC 3348; SEARCHRES RFC 5182;
 * CREATE-SPECIAL-USE RFC 6154 §3. APPENDLIMIT (RFC 7889) comes with its number.
 */
const FULL =
  "IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE NAMESPACE CHILDREN LIST-EXTENDED LIST-STATUS SPECIAL-USE " +
  "CREATE-SPECIAL-USE UIDPLUS MOVE UNSELECT CONDSTORE QRESYNC ESEARCH SEARCHRES STATUS=SIZE QUOTA " +
  "QUOTA=RES-STORAGE METADATA UTF8=ACCEPT";

export interface CapabilityFacts {
  secure: boolean;
  loggedIn: boolean;
  shown: "full" | "generic";
  /** Device tokens are taken. */
  push: boolean;
  /** COMPRESS is allowed and not on yet. */
  compress: boolean;
  /** Largest APPEND, bytes. */
  messageMaxBytes: number;
}

export function capabilities(facts: CapabilityFacts): string {
  const { secure, loggedIn, shown, push, compress, messageMaxBytes } = facts;
  const showsAll = loggedIn || shown === "full";
  const full = `${FULL} APPENDLIMIT=${messageMaxBytes}${push ? " XDELTAPUSH" : ""} XCHATMAIL`;
  const base = showsAll ? full : GENERIC;
  const deflate = compress && showsAll ? " COMPRESS=DEFLATE" : "";
  if (loggedIn) return base + deflate;
  // RFC 9051 §11.2: no password crosses a line that is not encrypted.
  return secure ? `${base}${deflate} AUTH=PLAIN AUTH=LOGIN` : `${base}${deflate} STARTTLS LOGINDISABLED`;
}
