/**
 * A mail server of the ordinary kind as a peer: Postfix with OpenDKIM as its milter and Dovecot behind it, Debian's
 * packages, in a directory of their own, on loopback addresses and free ports. Nothing of the system's configuration is
 * read and no service of the system is touched. Postfix insists on being started by root.
 *
 * Mail of others comes in at `smtp` (STARTTLS demanded, signatures verified, the result in Authentication-Results), mail
 * of its own users at `submission` (signed); `unsigned` is a way out without a signature. Where other domains' mail goes
 * is a table instead of DNS, because Postfix asks the system's resolver; OpenDKIM asks the given name server.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { Dovecot, whyNoDovecot } from "../oracle/dovecot.ts";
import { type TestKey, testKey } from "./dkim.ts";
import { freePort, isListening } from "./free-port.ts";
import { ImapClient } from "./imap-client.ts";
import { SmtpClient } from "./smtp-client.ts";

const MASTER = "/usr/lib/postfix/sbin/master";
const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
const READY_TRIES = 100;
const READY_PAUSE_MS = 50;
const STOP_MAX_MS = 5_000;
/** Daemons that must not outlive this process. */
const daemons = new Set<Subprocess>();
process.on("exit", () => {
  for (const child of daemons) child.kill("SIGTERM");
});
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => process.exit(1));

/** Why there is none to talk to; undefined when there is. */
export function whyNoPostfix(): string | undefined {
  if (!existsSync(MASTER)) return "the package postfix is not installed";
  if (!existsSync("/usr/lib/dovecot/lmtp")) return "the package dovecot-lmtpd is not installed";
  if (Bun.which("opendkim", { PATH }) === null) return "the package opendkim is not installed";
  if (process.getuid?.() !== 0) return "Postfix is started by root only";
  return whyNoDovecot();
}

/** Where the mail of one domain goes. */
export interface PeerRoute {
  domain: string;
  host: string;
  port: number;
  /** PEM file with the certificate that it must show, and the name in it when it is not the domain. */
  certificate: string;
  name?: string;
}

export interface PostfixOptions {
  domain: string;
  /** Loopback address to listen on. */
  host: string;
  /** Whose mailboxes are here. */
  users: readonly string[];
  password: string;
  /** Addresses that Postfix takes and Dovecot does not know: their mail comes back. */
  ghosts?: readonly string[];
  /** What it shows in TLS: PEM, made for `mx.<domain>`. */
  tls: { key: string; cert: string };
  /** Name server on 127.0.0.1 that OpenDKIM asks. */
  dnsPort: number;
  routes: readonly PeerRoute[];
  /** Ports to listen on; free ones where none is given. */
  ports?: PostfixPorts;
  messageMaxBytes?: number;
  /** Whether OpenDKIM looks at what comes in; default true. With libunbound it dies under parallel load. */
  verifies?: boolean;
}

export interface PostfixPorts {
  smtp: number;
  submission: number;
  unsigned: number;
}

export function freePostfixPorts(host: string): PostfixPorts {
  return { smtp: freePort([host]), submission: freePort([host]), unsigned: freePort([host]) };
}

/** One Postfix with its company. */
export class Postfix {
  readonly dir: string;
  readonly host: string;
  readonly domain: string;
  readonly ports: PostfixPorts;
  readonly dovecot: Dovecot;
  /** What signs. Its record belongs into DNS as `default._domainkey.<domain>`. */
  readonly key: TestKey;
  readonly #options: PostfixOptions;
  readonly #processes: Subprocess[] = [];

  private constructor(options: PostfixOptions, dir: string, dovecot: Dovecot) {
    this.#options = options;
    this.dir = dir;
    this.host = options.host;
    this.domain = options.domain;
    this.ports = options.ports ?? freePostfixPorts(options.host);
    this.dovecot = dovecot;
    this.key = testKey("rsa", "default");
  }

  /** @throws {Error} with the daemons' logs */
  static async start(options: PostfixOptions): Promise<Postfix> {
    const dir = mkdtempSync(join(tmpdir(), "madmail-postfix-"));
    // Unprivileged processes of Postfix must get through.
    chmodSync(dir, 0o755);
    const dovecot = await Dovecot.start(options.users, options.password, { lmtp: true });
    const postfix = new Postfix(options, dir, dovecot);
    try {
      await postfix.#start();
    } catch (error) {
      const log = await postfix.log();
      await postfix.stop();
      throw new Error(`Postfix did not start:\n${log}`, { cause: error });
    }
    return postfix;
  }

  /** The TXT record of its key, as DNS wants it: strings of at most 255 bytes. */
  get keyRecord(): string[] {
    return this.key.record.match(/.{1,255}/g) ?? [];
  }

  /** Process ids of the daemons that are parents of all others, for measurements. */
  get parents(): number[] {
    return [...this.#processes.map(({ pid }) => pid), this.dovecot.pid];
  }

  /** Where a user's client sends; `unsigned` is no listener of an honest server. */
  connect(listener: "submission" | "unsigned" = "submission"): Promise<SmtpClient> {
    return SmtpClient.open({ host: this.host, port: this.ports[listener] });
  }

  async logIn(user: string): Promise<ImapClient> {
    const imap = await ImapClient.open({ port: this.dovecot.port });
    await imap.login(user, this.#options.password);
    return imap;
  }

  async log(): Promise<string> {
    const file = Bun.file(join(this.dir, "log"));
    return `${(await file.exists()) ? await file.text() : ""}\n${await this.dovecot.log()}`;
  }

  /** Ends all daemons with their children and removes everything. */
  async stop(): Promise<void> {
    for (const child of this.#processes.splice(0).toReversed()) {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MAX_MS);
      await child.exited;
      clearTimeout(timer);
      daemons.delete(child);
    }
    await this.dovecot.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    await this.#writeFiles();
    for (const mode of ["s", "v"] as const) {
      this.#spawn(["opendkim", "-f", "-x", join(this.dir, `opendkim-${mode}.conf`)]);
      await this.#until(() => existsSync(this.#milter(mode)), "OpenDKIM's socket");
    }
    // Makes the directories of the queue.
    this.#run(["postfix", "-c", this.dir, "check"]);
    this.#spawn([MASTER, "-c", this.dir]);
    await this.#until(() => isListening(this.ports.smtp, this.host), "Postfix");
  }

  async #writeFiles(): Promise<void> {
    const write = (name: string, text: string, mode = 0o644) =>
      writeFileSync(join(this.dir, name), text, { mode });
    for (const name of ["queue", "data"]) mkdirSync(join(this.dir, name));
    Bun.spawnSync(["chown", "postfix", join(this.dir, "data")]);
    write("key.pem", this.#options.tls.key, 0o600);
    write("cert.pem", this.#options.tls.cert);
    write("dkim.pem", this.key.privateKey.export({ format: "pem", type: "pkcs8" }), 0o600);
    for (const mode of ["s", "v"] as const) write(`opendkim-${mode}.conf`, this.#openDkim(mode));
    // Its resolver knows by itself that there is no domain `test`, and asks nobody on this machine.
    write(
      "unbound.conf",
      'server:\n do-not-query-localhost: no\n local-zone: "test." nodefault\n module-config: "iterator"\n' +
        `forward-zone:\n name: "."\n forward-addr: 127.0.0.1@${this.#options.dnsPort}\n`,
    );
    write("main.cf", this.#main());
    write("master.cf", this.#master());
    const { users, ghosts = [], routes } = this.#options;
    write("mailboxes", [...users, ...ghosts].map((user) => `${user} here\n`).join(""));
    write("transport", routes.map((to) => `${to.domain} smtp:[${to.host}]:${to.port}\n`).join(""));
    write(
      "tls",
      routes
        .map((to) => `[${to.host}]:${to.port} verify match=${to.name ?? to.domain} protocols=>=TLSv1.2\n`)
        .join(""),
    );
    write("trust.pem", await this.#trusted());
    // What mailing lists and virus scanners do to mail after it was signed.
    write("header_checks", "/^Subject: break me/ REPLACE Subject: broken\n");
  }

  async #trusted(): Promise<string> {
    const { routes } = this.#options;
    return (await Promise.all(routes.map(({ certificate }) => Bun.file(certificate).text()))).join("\n");
  }

  #openDkim(mode: "s" | "v"): string {
    return [
      `Mode ${mode}`,
      `Socket local:${this.#milter(mode)}`,
      "UMask 000",
      "Syslog no",
      "RequireSafeKeys no",
      ...(mode === "s" ? this.#signing() : this.#verifying()),
      "",
    ].join("\n");
  }

  /** As on chatmail relays. */
  #signing(): string[] {
    return [
      `Domain ${this.domain}`,
      "Selector default",
      `KeyFile ${join(this.dir, "dkim.pem")}`,
      "Canonicalization relaxed/simple",
      "OversignHeaders From,Reply-To,Subject,Date,To,Cc",
      "InternalHosts 127.0.0.0/8",
    ];
  }

  #verifying(): string[] {
    return [
      `AuthservID mx.${this.domain}`,
      "AlwaysAddARHeader yes",
      // Nobody is trusted without a look.
      "InternalHosts 192.0.2.1",
      `ResolverConfiguration ${join(this.dir, "unbound.conf")}`,
    ];
  }

  #milter(mode: "s" | "v"): string {
    return join(this.dir, `milter-${mode}.sock`);
  }

  #main(): string {
    const { dir, domain } = this;
    const settings: Record<string, string | number> = {
      compatibility_level: "3.6",
      queue_directory: `${dir}/queue`,
      data_directory: `${dir}/data`,
      maillog_file: `${dir}/log`,
      maillog_file_prefixes: dir,
      myhostname: `mx.${domain}`,
      myorigin: domain,
      mydestination: "",
      mynetworks: "192.0.2.1/32",
      // Those of master.cf count; this one must be an address that the interface lists.
      inet_interfaces: "127.0.0.1",
      smtp_bind_address: this.host,
      inet_protocols: "ipv4",
      alias_maps: "",
      local_recipient_maps: "",
      local_transport: "error:nobody lives here",
      virtual_mailbox_domains: domain,
      virtual_mailbox_maps: `texthash:${dir}/mailboxes`,
      virtual_transport: `lmtp:inet:127.0.0.1:${this.dovecot.lmtpPort}`,
      virtual_mailbox_limit: 0,
      message_size_limit: this.#options.messageMaxBytes ?? 31_457_280,
      smtpd_peername_lookup: "no",
      smtpd_relay_restrictions: "reject_unauth_destination",
      smtpd_tls_cert_file: `${dir}/cert.pem`,
      smtpd_tls_key_file: `${dir}/key.pem`,
      smtpd_tls_received_header: "yes",
      smtpd_client_connection_count_limit: 0,
      smtp_dns_support_level: "disabled",
      transport_maps: `texthash:${dir}/transport`,
      smtp_tls_security_level: "encrypt",
      smtp_tls_policy_maps: `texthash:${dir}/tls`,
      // Tells in the log whether the other's certificate was good.
      smtp_tls_loglevel: 1,
      smtp_tls_CAfile: `${dir}/trust.pem`,
      smtp_header_checks: `regexp:${dir}/header_checks`,
      smtpd_milters: this.#options.verifies === false ? "" : `unix:${this.#milter("v")}`,
      non_smtpd_milters: `unix:${this.#milter("s")}`,
      // So that its bounces are signed, as chatmail relays demand.
      internal_mail_filter_classes: "bounce",
      milter_default_action: "tempfail",
      queue_run_delay: "1s",
      minimal_backoff_time: "1s",
      maximal_backoff_time: "2s",
    };
    return Object.entries(settings)
      .map(([name, value]) => `${name} = ${value}\n`)
      .join("");
  }

  /** RFC 5321 comes in from outside, RFC 6409 from its own users. */
  #master(): string {
    const { smtp, submission, unsigned } = this.ports;
    const at = (port: number) => `${this.host}:${port}`;
    const internal = (name: string, type = "unix", limit = "-", program = name) =>
      `${name} ${type} ${name === "flush" ? "n" : "-"} - n ${limit} ${program}`;
    const own = "-o mynetworks=127.0.0.0/8 -o smtpd_relay_restrictions=permit_mynetworks,reject";
    return [
      `${at(smtp)} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt`,
      `${at(submission)} inet n - n - - smtpd ${own} -o smtpd_milters=unix:${this.#milter("s")}`,
      `${at(unsigned)} inet n - n - - smtpd ${own} -o smtpd_milters=`,
      "cleanup unix n - n - 0 cleanup",
      "qmgr unix n - n 300 1 qmgr",
      "tlsmgr unix - - n 1000? 1 tlsmgr",
      "rewrite unix - - n - - trivial-rewrite",
      ...["bounce", "defer", "trace"].map((name) => internal(name, "unix", "- 0", "bounce")),
      "flush unix n - n 1000? 0 flush",
      "proxymap unix - - n - - proxymap",
      "smtp unix - - n - - smtp",
      "lmtp unix - - n - - lmtp",
      ...["error", "retry"].map((name) => internal(name, "unix", "- -", "error")),
      "showq unix n - n - - showq",
      "anvil unix - - n - 1 anvil",
      "scache unix - - n - 1 scache",
      "postlog unix-dgram n - n - 1 postlogd",
      "",
    ].join("\n");
  }

  #spawn(command: string[]): void {
    const child = Bun.spawn(command, {
      stdin: "ignore",
      stdout: Bun.file(join(this.dir, "output")),
      stderr: Bun.file(join(this.dir, "output")),
      env: { PATH, LC_ALL: "C" },
    });
    this.#processes.push(child);
    daemons.add(child);
  }

  /** @throws {Error} with what it printed */
  #run(command: string[]): void {
    const { exitCode, stderr, stdout } = Bun.spawnSync(command, { env: { PATH, LC_ALL: "C" } });
    if (exitCode !== 0) throw new Error(`${command.join(" ")}:\n${stdout.toString()}${stderr.toString()}`);
  }

  /** Their only signs of life are files and ports. */
  async #until(is: () => boolean | Promise<boolean>, what: string): Promise<void> {
    for (let tried = 1; !(await is()); tried++) {
      if (tried === READY_TRIES) throw new Error(`${what} did not come`);
      await Bun.sleep(READY_PAUSE_MS);
    }
  }
}
