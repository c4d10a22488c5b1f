/** The hand-written sessions: what generated ones would seldom hit, and what each extension is for. */
import type { Session } from "./play.ts";
import { onMail, session } from "./script.ts";
import { searches } from "./search-sessions.ts";

const SECTIONS = [
  ..."[] [HEADER] [TEXT] [1] [2] [3] [1.1] [2.1] [1.MIME] [2.MIME] [2.HEADER] [2.TEXT] [2.1.MIME] [2.2] [2.3]".split(
    " ",
  ),
  ..."[]<0.10> []<5.100000> []<100000.5> [TEXT]<0.4> [1]<2.3> [HEADER]<3.7> [1.MIME]<0.5> [9] [2.1.1] [1.1.1]".split(
    " ",
  ),
  "[HEADER.FIELDS (SUBJECT)]",
  "[HEADER.FIELDS (subject FROM x-none)]",
  '[HEADER.FIELDS ("Message-ID")]',
  "[HEADER.FIELDS (X-LONG)]",
  "[HEADER.FIELDS (X-LONG)]<2.5>",
  "[HEADER.FIELDS.NOT (SUBJECT FROM TO DATE)]",
  "[2.HEADER.FIELDS (SUBJECT)]",
  "[2.HEADER.FIELDS.NOT (SUBJECT)]",
];

const fetches = [
  ...onMail(
    "fetch",
    SECTIONS.map((section) => `FETCH 1:* (BODY.PEEK${section})`),
  ),
  ...onMail("fetch", [
    "FETCH 1:* FAST",
    "FETCH 1:* ALL",
    "FETCH 1:* FULL",
    "FETCH 1:* ENVELOPE",
    "FETCH 1:* BODY",
    "FETCH 1:* BODYSTRUCTURE",
    "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)",
    "FETCH 1:* RFC822.HEADER",
    "FETCH 1 RFC822",
    "FETCH 1 RFC822.TEXT",
    "FETCH 1 (BODY[])",
    "FETCH 1 (BODY[] FLAGS)",
    "FETCH 1:3 BODY[TEXT]",
    "FETCH * UID",
    "FETCH *:8 UID",
    "FETCH 3,1,2 UID",
    "FETCH 1,1,1:2 UID",
    "FETCH 11 UID",
    "FETCH 9:12 UID",
    "FETCH 0 UID",
    "FETCH 1 NONSENSE",
    "FETCH 1 (UID",
    "FETCH 1 ()",
    "FETCH 1 BODY.PEEK[0]",
    "FETCH 1 BODY.PEEK[MIME]",
    "FETCH 1 BODY.PEEK[HEADER.FIELDS ()]",
    "FETCH 1 BODY.PEEK[TEXT]<0.0>",
    "UID FETCH 1:* FLAGS",
    "UID FETCH 1:* (UID FLAGS)",
    "UID FETCH 100 FLAGS",
    "UID FETCH 100:* FLAGS",
    "UID FETCH 5:2 FLAGS",
    "FETCH 1:* (MODSEQ)",
    "FETCH 1:3 (FLAGS) (CHANGEDSINCE 1)",
    "fetch 1 (uid body.peek[header.fields (subject)])",
  ]),
  session("fetch marks seen", "mail", "SELECT INBOX\nFETCH 1 BODY[TEXT]\nFETCH 1 FLAGS\nSEARCH UNSEEN\nNOOP"),
  session(
    "examine leaves unseen",
    "mail",
    "EXAMINE INBOX\nFETCH 1 BODY[TEXT]\nFETCH 1 FLAGS\nSTORE 1 +FLAGS (\\Seen)\nEXPUNGE\nCLOSE",
  ),
];

const stores = [
  ...onMail("store", [
    "STORE 1 FLAGS (\\Seen)",
    "STORE 1 +FLAGS (\\Seen \\Flagged)",
    "STORE 1 -FLAGS (\\Seen)",
    "STORE 2 -FLAGS (\\Seen)",
    "STORE 1:* FLAGS ()",
    "STORE 1:* FLAGS.SILENT ()",
    "STORE 1:3 +FLAGS.SILENT (\\Answered)",
    "STORE 1 +FLAGS \\Seen",
    "STORE 1 +FLAGS \\Seen \\Flagged",
    "STORE 1 +FLAGS ($Forwarded)",
    "STORE 1 +FLAGS (\\Recent)",
    "STORE 1 +FLAGS (\\Bogus)",
    "STORE 1 +FLAGS ($Junk NonJunk)",
    "STORE 11 +FLAGS (\\Seen)",
    "STORE 1:20 +FLAGS (\\Seen)",
    "UID STORE 1:3 +FLAGS (\\Seen)",
    "UID STORE 77 +FLAGS (\\Seen)",
    "UID STORE 9:* -FLAGS (\\Seen \\Draft)",
    "STORE 1 BOGUS (\\Seen)",
    "STORE 1 +FLAGS",
  ]),
  session(
    "keywords",
    "mail",
    "SELECT INBOX\nSTORE 1:2 +FLAGS ($Forwarded)\nSTORE 2 +FLAGS (other)\nSEARCH KEYWORD $forwarded\nSEARCH KEYWORD OTHER\nSTORE 1 -FLAGS ($Forwarded)\nFETCH 1:3 FLAGS\nSELECT INBOX",
  ),
];

const mailboxes = [
  session(
    "create, list, delete",
    "empty",
    `CREATE Sent\nCREATE a\nCREATE a/b\nCREATE a/b/c\nCREATE x/y\nLIST "" *\nLIST "" %\nLIST "" %/%\nLIST "" a*\nLIST "" a%\nLIST a/ %\nLIST "" "*b*"\nLIST "" ""\nLIST a/b ""\nLIST "" inbox\nLIST "" InBoX\nLIST "" nothing\nDELETE a/b/c\nLIST "" *\nDELETE a\nLIST "" *\nDELETE nothing\nDELETE INBOX`,
  ),
  session(
    "create odd names",
    "empty",
    `CREATE INBOX\nCREATE inbox\nCREATE a/\nCREATE "with space"\nCREATE "quote\\"d"\nCREATE {4+}{crlf}lite\nCREATE ""\nCREATE a//b\nCREATE /a\nCREATE a.b\nCREATE &AOQ-rger\nCREATE &bad\nCREATE a&-b\nCREATE ~home\nCREATE ..\nCREATE INBOX/under\nLIST "" *`,
  ),
  session("create twice", "empty", "CREATE a\nCREATE a\nCREATE A"),
  session(
    "rename",
    "mail",
    `CREATE a\nCREATE a/b\nRENAME a z\nLIST "" *\nRENAME nothing q\nRENAME z INBOX\nRENAME z z\nRENAME z/b deep/er/down\nLIST "" *`,
  ),
  session(
    "rename the inbox",
    "mail",
    `RENAME INBOX old\nLIST "" *\nSTATUS INBOX (MESSAGES)\nSTATUS old (MESSAGES UNSEEN)`,
  ),
  session(
    "subscriptions",
    "empty",
    `CREATE a\nCREATE a/b\nSUBSCRIBE a/b\nSUBSCRIBE a\nSUBSCRIBE nothing\nLSUB "" *\nLSUB "" %\nUNSUBSCRIBE a\nLSUB "" *\nLSUB "" %\nLIST (SUBSCRIBED) "" *\nLIST "" * RETURN (SUBSCRIBED)\nLIST (SUBSCRIBED RECURSIVEMATCH) "" %\nDELETE a/b\nLSUB "" *\nLIST (SUBSCRIBED) "" *\nUNSUBSCRIBE nothing`,
  ),
  session(
    "list extended",
    "empty",
    `CREATE Sent\nCREATE Drafts\nCREATE a/b\nLIST (SPECIAL-USE) "" *\nLIST "" * RETURN (SPECIAL-USE)\nLIST "" (Sent a*)\nLIST "" * RETURN (CHILDREN)\nLIST "" % RETURN (STATUS (MESSAGES UIDNEXT UNSEEN))\nLIST "" * RETURN (SUBSCRIBED CHILDREN SPECIAL-USE)\nLIST (REMOTE) "" *\nLIST (RECURSIVEMATCH) "" *\nLIST (BOGUS) "" *\nLIST "" * RETURN (BOGUS)\nLIST () "" *\nLIST "" () `,
  ),
  session(
    "status",
    "mail",
    "STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT)\nSTATUS INBOX (SIZE)\nSTATUS INBOX (HIGHESTMODSEQ)\nSTATUS inbox (MESSAGES)\nSTATUS nothing (MESSAGES)\nSTATUS INBOX ()\nSTATUS INBOX (BOGUS)\nSTATUS INBOX MESSAGES\nCREATE a\nSTATUS a (MESSAGES UIDNEXT UNSEEN SIZE)\nSELECT INBOX\nSTATUS INBOX (MESSAGES)",
  ),
  session("status with deleted", "mail", "STATUS INBOX (DELETED)"),
  session(
    "select",
    "mail",
    "SELECT INBOX\nSELECT inbox\nEXAMINE INBOX\nSELECT nothing\nFETCH 1 UID\nSELECT INBOX (CONDSTORE)\nSELECT INBOX (BOGUS)\nUNSELECT\nFETCH 1 UID\nSELECT INBOX\nCLOSE\nCHECK\nSELECT INBOX\nCHECK\nUNSELECT\nUNSELECT",
  ),
  session(
    "select empty",
    "empty",
    "SELECT INBOX\nFETCH 1 UID\nFETCH 1:* UID\nFETCH * UID\nUID FETCH 1:* FLAGS\nSEARCH ALL\nUID SEARCH 1:*\nSEARCH 1\nSTORE 1 +FLAGS (\\Seen)\nEXPUNGE\nUID EXPUNGE 1:*\nCOPY 1 INBOX",
  ),
  session("namespace", "empty", "NAMESPACE"),
  session(
    "wrong state",
    "empty",
    "FETCH 1 UID\nSTORE 1 +FLAGS (\\Seen)\nSEARCH ALL\nEXPUNGE\nCLOSE\nCOPY 1 INBOX\nLOGIN a b\nAUTHENTICATE PLAIN",
  ),
  session(
    "bad commands",
    "mail",
    'BOGUS\nSELECT\nSELECT INBOX extra\nNOOP extra\nLIST\nLIST ""\nCREATE\nUID\nUID BOGUS\nUID FETCH\nSTATUS INBOX\nNOOP',
  ),
  session(
    "enable",
    "mail",
    'ENABLE CONDSTORE\nENABLE QRESYNC\nENABLE BOGUS\nENABLE CONDSTORE BOGUS\nENABLE\nSELECT INBOX\nENABLE QRESYNC\nID NIL\nID ("name" "x")\nCAPABILITY\nNOOP',
  ),
  session(
    "quota",
    "mail",
    'GETQUOTAROOT INBOX\nGETQUOTA "User quota"\nGETQUOTA nothing\nGETQUOTAROOT nothing\nSETQUOTA "User quota" (STORAGE 10)',
  ),
  session(
    "metadata",
    "empty",
    'GETMETADATA "" /shared/none\nGETMETADATA INBOX /private/none\nGETMETADATA "" (/shared/none /shared/other)\nGETMETADATA nothing /private/none\nSETMETADATA "" (/shared/none "x")\nGETMETADATA (DEPTH 1) "" /shared\nGETMETADATA (MAXSIZE 10) "" /shared/comment\nGETMETADATA "" none\nSETMETADATA INBOX (/private/comment "mine")\nGETMETADATA INBOX /private/comment\nSETMETADATA INBOX (/private/comment NIL)',
  ),
];

const moving = [
  ...onMail("copy", [
    "COPY 1:3 INBOX",
    "COPY 3,1 INBOX",
    "COPY 1 nothing",
    "COPY 11 INBOX",
    "UID COPY 2 INBOX",
    "UID COPY 77 INBOX",
    "COPY 1",
    "MOVE 1 nothing",
    "UID MOVE 77 INBOX",
    "COPY 1:20 INBOX",
  ]),
  session(
    "copy",
    "mail",
    "CREATE a\nSELECT INBOX\nSTORE 2 +FLAGS (kept)\nCOPY 1:3 a\nUID COPY 9:* a\nSTATUS a (MESSAGES UIDNEXT UNSEEN)\nSELECT a\nFETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)",
  ),
  session(
    "move",
    "mail",
    "CREATE a\nSELECT INBOX\nMOVE 2:3 a\nFETCH 1:* UID\nUID MOVE 1,9 a\nFETCH 1:* UID\nSELECT a\nFETCH 1:* (UID FLAGS INTERNALDATE)",
  ),
  session("move from read-only", "mail", "CREATE a\nEXAMINE INBOX\nMOVE 1 a\nCOPY 1 a"),
  session(
    "copy to itself",
    "mail",
    "SELECT INBOX\nCOPY 1:2 INBOX\nFETCH 11:* (UID FLAGS)\nMOVE 1 INBOX\nFETCH 1:* UID",
  ),
  session(
    "append",
    "empty",
    'APPEND INBOX {pgp}\nAPPEND INBOX (\\Seen $kept) {pgp}\nAPPEND INBOX "07-Feb-2026 10:00:00 +0100" {pgp}\nAPPEND INBOX (\\Draft) " 7-Feb-2026 10:00:00 -0800" {pgp}\nAPPEND nothing {pgp}\nSELECT INBOX\nFETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)\nFETCH 1:* BODY.PEEK[]\nAPPEND INBOX (\\Flagged) {pgp}\nFETCH 5 FLAGS',
  ),
  session("append with \\Recent", "empty", "APPEND INBOX (\\Recent) {pgp}"),
  session("append with a bad date", "empty", 'APPEND INBOX "bad date" {pgp}'),
  session(
    "append without a message",
    "empty",
    "APPEND INBOX {0+}{crlf}\nAPPEND INBOX\nAPPEND INBOX (\\Seen)\nAPPEND INBOX string",
  ),
  session(
    "expunge",
    "mail",
    "SELECT INBOX\nSTORE 2,4,6 +FLAGS (\\Deleted)\nEXPUNGE\nFETCH 1:* (UID FLAGS)\nSTORE 1:3 +FLAGS (\\Deleted)\nUID EXPUNGE 3:100\nFETCH 1:* UID\nCLOSE\nSTATUS INBOX (MESSAGES UIDNEXT)",
  ),
  session(
    "close expunges",
    "mail",
    "SELECT INBOX\nSTORE 1:5 +FLAGS.SILENT (\\Deleted)\nCLOSE\nSELECT INBOX\nFETCH 1:* UID",
  ),
  session(
    "unselect keeps",
    "mail",
    "SELECT INBOX\nSTORE 1:5 +FLAGS.SILENT (\\Deleted)\nUNSELECT\nSELECT INBOX\nFETCH 1:* UID",
  ),
  session(
    "select another keeps",
    "mail",
    "CREATE a\nSELECT INBOX\nSTORE 1:5 +FLAGS.SILENT (\\Deleted)\nSELECT a\nSELECT INBOX\nFETCH 1:* UID",
  ),
];

const resync = [
  session(
    "condstore",
    "mail",
    "SELECT INBOX (CONDSTORE)\nmark\nSTORE 2 +FLAGS (\\Flagged)\nFETCH 1:* (FLAGS) (CHANGEDSINCE $mark)\nUID FETCH 1:* (FLAGS) (CHANGEDSINCE $mark)\nSTORE 1:3 (UNCHANGEDSINCE $mark) +FLAGS (\\Answered)\nSTORE 1 (UNCHANGEDSINCE 0) +FLAGS (\\Draft)\nUID STORE 1:3 (UNCHANGEDSINCE $mark) +FLAGS.SILENT (\\Seen)\nmark\nSTORE 1:3 (UNCHANGEDSINCE $mark) -FLAGS.SILENT (\\Answered)\nSEARCH MODSEQ 1\nSEARCH RETURN (ALL) MODSEQ 1\nSTATUS INBOX (HIGHESTMODSEQ)",
  ),
  session(
    "condstore search",
    "mail",
    'SELECT INBOX (CONDSTORE)\nmark\nSTORE 5 +FLAGS (\\Flagged)\nmark\nSEARCH MODSEQ $mark\nUID SEARCH MODSEQ $mark\nSEARCH MODSEQ $mark SEEN\nSEARCH MODSEQ "/flags/\\\\Flagged" all $mark\nSEARCH RETURN (MIN MAX) MODSEQ $mark',
  ),
  session(
    "silent store tells modseq",
    "mail",
    "ENABLE CONDSTORE\nSELECT INBOX\nSTORE 1:2 +FLAGS.SILENT (\\Flagged)\nUID STORE 3 +FLAGS.SILENT (\\Flagged)\nSTORE 4 +FLAGS (\\Flagged)\nFETCH 1:4 FLAGS",
  ),
  session(
    "qresync",
    "mail",
    "ENABLE QRESYNC\nSELECT INBOX\nmark\nSTORE 2,4 +FLAGS (\\Deleted)\nEXPUNGE\nSTORE 1 +FLAGS (\\Flagged)\nUNSELECT\nSELECT INBOX (QRESYNC ($uidvalidity $mark))\nSELECT INBOX (QRESYNC ($uidvalidity $mark 1:3))\nSELECT INBOX (QRESYNC ($uidvalidity $mark 1:10 (1:5 1:5)))\nSELECT INBOX (QRESYNC (1 $mark))\nUID FETCH 1:* (FLAGS) (CHANGEDSINCE $mark VANISHED)\nFETCH 1:* (FLAGS) (CHANGEDSINCE $mark VANISHED)\nUID FETCH 1:3 (FLAGS) (CHANGEDSINCE $mark VANISHED)",
  ),
  session(
    "qresync without enable",
    "mail",
    "SELECT INBOX\nSELECT INBOX (QRESYNC ($uidvalidity 1))\nSELECT INBOX\nUID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)",
  ),
  session(
    "qresync move",
    "mail",
    "ENABLE QRESYNC\nCREATE a\nSELECT INBOX\nmark\nUID MOVE 2:3 a\nSELECT INBOX (QRESYNC ($uidvalidity $mark))",
  ),
  session(
    "qresync close",
    "mail",
    "ENABLE QRESYNC\nSELECT INBOX\nSTORE 1 +FLAGS (\\Deleted)\nCLOSE\nSELECT INBOX\nSELECT INBOX",
  ),
];

const together = [
  session(
    "two: flags",
    "mail",
    "SELECT INBOX\nb: SELECT INBOX\nb: STORE 1 +FLAGS (\\Flagged)\nNOOP\nb: STORE 1:3 -FLAGS.SILENT (\\Seen \\Flagged)\nFETCH 2 UID\nNOOP",
  ),
  session(
    "two: expunge",
    "mail",
    "SELECT INBOX\nb: SELECT INBOX\nb: STORE 2:3 +FLAGS.SILENT (\\Deleted)\nb: EXPUNGE\nFETCH 1:10 UID\nSTORE 1 +FLAGS (\\Seen)\nSEARCH ALL\nNOOP\nFETCH 1:* UID",
  ),
  session(
    "two: uid commands tell expunges",
    "mail",
    "SELECT INBOX\nb: SELECT INBOX\nb: STORE 2:3 +FLAGS.SILENT (\\Deleted)\nb: EXPUNGE\nUID FETCH 1:* FLAGS\nNOOP",
  ),
  session(
    "two: append",
    "mail",
    "SELECT INBOX\nb: APPEND INBOX {pgp}\nNOOP\nFETCH 11 (UID FLAGS)\nb: APPEND INBOX (\\Seen) {pgp}\nCHECK",
  ),
  session(
    "two: idle",
    "mail",
    "SELECT INBOX\nIDLE\nb: SELECT INBOX\nb: STORE 1 +FLAGS (\\Flagged)\nb: STORE 2 +FLAGS.SILENT (\\Deleted)\nb: EXPUNGE\nb: APPEND INBOX {pgp}\nDONE\nFETCH 1:* UID",
  ),
  session(
    "two: move",
    "mail",
    "CREATE a\nSELECT INBOX\nb: SELECT a\nMOVE 1:2 a\nb: NOOP\nb: FETCH 1:* UID\nb: MOVE 1 INBOX\nNOOP\nFETCH 1:* UID",
  ),
  session("two: delete what the other has open", "mail", 'CREATE a\nSELECT a\nb: DELETE a\nb: LIST "" *'),
  session(
    "two: keywords",
    "mail",
    "SELECT INBOX\nb: SELECT INBOX\nb: STORE 1 +FLAGS (brandnew)\nNOOP\nFETCH 1 FLAGS",
  ),
  session(
    "two: condstore",
    "mail",
    "SELECT INBOX (CONDSTORE)\nmark\nb: SELECT INBOX\nb: STORE 1 +FLAGS (\\Flagged)\nSTORE 1:2 (UNCHANGEDSINCE $mark) +FLAGS (\\Answered)\nNOOP",
  ),
  session(
    "two: qresync",
    "mail",
    "ENABLE QRESYNC\nSELECT INBOX\nb: SELECT INBOX\nb: STORE 1,2 +FLAGS.SILENT (\\Deleted)\nb: EXPUNGE\nNOOP\nUID FETCH 1:* FLAGS",
  ),
  session(
    "two: examine sees it",
    "mail",
    "EXAMINE INBOX\nb: SELECT INBOX\nb: STORE 1 +FLAGS (\\Deleted)\nb: CLOSE\nNOOP",
  ),
];

export const handWritten: readonly Session[] = [
  ...searches,
  ...fetches,
  ...stores,
  ...mailboxes,
  ...moving,
  ...resync,
  ...together,
];
