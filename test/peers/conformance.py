"""Cases of the online tests of chatmail relays, with the clients they use: imaplib and smtplib.

Usage: conformance.py CASE, with host, ports and domain as JSON in RELAY and a PGP message in MESSAGE (a file).
Prints nothing and exits 0, or fails with a traceback.
"""

import email
import imaplib
import json
import os
import secrets
import smtplib
import socket
import ssl
import string
import sys
import threading

RELAY = json.loads(os.environ["RELAY"])
DOMAIN = RELAY["domain"]
PASSWORD = "a-Long_password 'with\"signs"
TLS = ssl.create_default_context()
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE


def new_user():
    # The harness greps the relay's output for this prefix.
    return "pyuser" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(6)) + "@" + DOMAIN


def imap(user=None, password=PASSWORD):
    client = imaplib.IMAP4_SSL("127.0.0.1", RELAY["imaps"], ssl_context=TLS, timeout=20)
    if user is not None:
        client.login(user, password)
    return client


def smtp(user=None, password=PASSWORD):
    client = smtplib.SMTP_SSL("127.0.0.1", RELAY["submissions"], context=TLS, timeout=20)
    if user is not None:
        client.login(user, password)
    return client


def smtp25():
    client = smtplib.SMTP("127.0.0.1", RELAY["smtp"], timeout=20)
    client.ehlo("sender.example.org")
    client.starttls(context=TLS)
    client.ehlo("sender.example.org")
    return client


def message(sender, subject=None):
    with open(os.environ["MESSAGE"], "rb") as file:
        data = file.read()
    data = data.replace(b"SENDER@PLACEHOLDER", sender.encode())
    if subject is not None:
        data = data.replace(b"Subject: [...]", b"Subject: " + subject.encode())
    return data


def expect_error(kind, action, *parts):
    try:
        action()
    except kind as error:
        text = str(error)
        for part in parts:
            assert part in text, f"{part!r} is not in {text!r}"
        return error
    raise AssertionError(f"expected {kind.__name__}")


def case_capabilities_before_login():
    capabilities = imap().capabilities
    for name in ("XCHATMAIL", "XDELTAPUSH", "IDLE", "METADATA", "QUOTA"):
        assert name in capabilities, f"{name} is not in {capabilities}"


def case_imap_login():
    user = new_user()
    imap(user).logout()
    imap(user).logout()
    expect_error(imaplib.IMAP4.error, lambda: imap(user, "the wrong password"), "uthentication")
    expect_error(imaplib.IMAP4.error, lambda: imap(new_user(), "admin"))


def case_smtp_login():
    user = new_user()
    smtp(user).quit()
    smtp(user).quit()
    expect_error(smtplib.SMTPAuthenticationError, lambda: smtp(user, "the wrong password"), "535")
    expect_error(smtplib.SMTPAuthenticationError, lambda: smtp(new_user(), "admin"))
    imap(user).logout()


def case_same_password_for_two():
    imap(new_user()).logout()
    imap(new_user()).logout()


def case_ten_logins_at_once():
    user = new_user()
    failures = []

    def login(index):
        try:
            (imap if index % 2 else smtp)(user)
        except Exception as error:  # noqa: BLE001 - each failure is reported below
            failures.append(repr(error))

    threads = [threading.Thread(target=login, args=(index,)) for index in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [], failures


def case_vrfy():
    known = new_user()
    imap(known).logout()
    client = smtp25()
    for name in (known, "nobodyever@" + DOMAIN, "root"):
        code, text = client.vrfy(name)
        assert code == 252 and text.startswith(b"2.0.0 "), (code, text)


class RawImap:
    """Lines that end in LF alone, as the online test writes them."""

    def __init__(self, user):
        plain = socket.create_connection(("127.0.0.1", RELAY["imaps"]), timeout=20)
        self.socket = TLS.wrap_socket(plain, server_hostname="relay.test")
        self.file = self.socket.makefile("rb")
        assert self.file.readline().startswith(b"* OK")
        self.send(b'a login "' + user.encode() + b'" "plainpassword"\n')
        self.until(b"a OK")

    def send(self, data):
        self.socket.sendall(data)

    def until(self, start):
        lines = []
        while True:
            line = self.file.readline()
            assert line, lines
            lines.append(line)
            if line.startswith(start):
                return lines


def case_metadata_with_bare_lf():
    client = RawImap(new_user())
    client.send(b'b setmetadata INBOX (/private/devicetoken "1111" )\n')
    assert b"OK Setmetadata completed" in client.until(b"b ")[-1]
    client.send(b"c getmetadata INBOX /private/devicetoken\n")
    lines = client.until(b"c ")
    assert lines[0].startswith(b"* "), lines
    assert lines[1].rstrip() == b"1111)", lines
    assert b"Getmetadata completed" in lines[-1], lines
    client.send(b'd setmetadata INBOX (/private/devicetoken "2222" )\n')
    client.until(b"d OK")
    client.send(b"e getmetadata INBOX /private/devicetoken\n")
    assert client.until(b"e ")[1].rstrip() == b"1111 2222)"


def case_unknown_metadata_is_no_error():
    client = RawImap(new_user())
    client.send(b'b GETMETADATA "" (/shared/comment /shared/vendor/deltachat/unheard /private/x)\n')
    assert client.until(b"b ")[-1].startswith(b"b OK")


def case_forged_from_header():
    user = new_user()
    client = smtp(user)
    for forged in (new_user(), "someone@example.org"):
        data = message(forged)
        expect_error(smtplib.SMTPDataError, lambda data=data: client.sendmail(user, [user], data), "500")


def case_mail_from_of_another():
    user, other = new_user(), new_user()
    imap(other).logout()
    client = smtp(user)
    error = expect_error(
        smtplib.SMTPRecipientsRefused, lambda: client.sendmail(other, [user], message(other))
    )
    assert {code for code, _ in error.recipients.values()} == {553}, error.recipients


def case_plain_text():
    user = new_user()
    client = smtp(user)
    text = f"From: <{user}>\r\nSubject: hi\r\n\r\nin clear\r\n".encode()
    expect_error(
        smtplib.SMTPDataError, lambda: client.sendmail(user, [user], text), "523", "Invalid Unencrypted Mail"
    )


def case_no_open_relay():
    client = smtp25()
    sender = "fake@example.org"
    error = expect_error(
        smtplib.SMTPRecipientsRefused, lambda: client.sendmail(sender, ["x@example.net"], message(sender))
    )
    assert {code // 100 for code, _ in error.recipients.values()} == {5}, error.recipients


def case_remote_recipient_is_never_lost_silently():
    user = new_user()
    error = expect_error(
        smtplib.SMTPException, lambda: smtp(user).sendmail(user, ["x@example.net"], message(user))
    )
    codes = {code for code, _ in error.recipients.values()} if hasattr(error, "recipients") else {error.smtp_code}
    assert codes == {550}, error


def case_delivered_mail_is_clean():
    user = new_user()
    box = imap(user)
    data = message(user, subject="the original subject")
    data = b"Received: from phone ([203.0.113.9])\r\nX-Mailer: tell-tale\r\nUser-Agent: tell-tale\r\n" + data
    smtp(user).sendmail(user, [user], data)
    assert box.select("INBOX")[0] == "OK"
    status, parts = box.fetch("1:*", "(RFC822)")
    assert status == "OK"
    text = parts[0][1].decode()
    lower = text.lower()
    for trace in ("dkim-signature", "authentication-results", "203.0.113.9", "127.0.0.1", "tell-tale"):
        assert trace not in lower, text[:2000]
    assert "the original subject" not in text
    assert email.message_from_string(text)["Subject"] == "[...]"


def case_sending_too_fast():
    user = new_user()
    client = smtp(user)
    burst = RELAY["burst"]
    for index in range(burst * 3):
        try:
            client.sendmail(user, [user], message(user))
        except smtplib.SMTPRecipientsRefused as error:
            code, text = error.recipients[user]
            assert index >= burst, f"refused already at {index}"
            assert code == 450 and b"4.7.1: Too much mail from" in text, (code, text)
            return
    raise AssertionError("never refused")


def case_quota_exceeded():
    user = new_user()
    client = smtp(user)
    for _ in range(8):
        try:
            client.sendmail(user, [user], message(user))
        except smtplib.SMTPRecipientsRefused as error:
            code, text = error.recipients[user]
            assert code == 552 and b"uota exceeded" in text, (code, text)
            return
        except smtplib.SMTPDataError as error:
            assert error.smtp_code == 552 and b"uota exceeded" in error.smtp_error, error
            return
    raise AssertionError("never refused")


def case_a_standard_clients_day():
    user = new_user()
    box = imap(user)
    names = b"\n".join(box.list()[1])
    assert b"INBOX" in names, names
    assert box.create("DeltaChat")[0] == "OK"
    assert b"DeltaChat" in b"\n".join(box.list()[1])
    assert box.subscribe("DeltaChat")[0] == "OK"
    for flags in ("(\\Seen)", "()"):
        status, text = box.append("INBOX", flags, None, message(user))
        assert status == "OK", text
    status, counts = box.status("INBOX", "(MESSAGES UNSEEN UIDNEXT)")
    assert b"MESSAGES 2" in counts[0] and b"UNSEEN 1" in counts[0], counts
    assert box.select("INBOX") == ("OK", [b"2"])
    assert box.search(None, "SEEN")[1] == [b"1"]
    assert box.uid("SEARCH", None, "UNSEEN")[1][0] != b""
    assert box.copy("1", "DeltaChat")[0] == "OK"
    assert box.uid("MOVE", "2", "DeltaChat")[0] == "OK"
    assert box.store("1", "+FLAGS", "\\Deleted")[0] == "OK"
    # imaplib keeps the EXPUNGE that came with MOVE, too.
    assert box.expunge()[1][-1] == b"1"
    assert box.select("DeltaChat") == ("OK", [b"2"])
    assert box.fetch("*", "(FLAGS)")[0] == "OK"
    assert box.close()[0] == "OK"
    assert box.rename("DeltaChat", "Archive")[0] == "OK"
    assert box.delete("Archive")[0] == "OK"
    box.logout()


if __name__ == "__main__":
    globals()["case_" + sys.argv[1]]()
