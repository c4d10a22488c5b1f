/**
 * A Dovecot of our own as a second opinion: Debian's package (2.3), private directory, one loopback port, plain text,
 * Maildir with the same layout as ours. Nothing of the system's configuration is read.
 */
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { freePort, isListening } from "../support/free-port.ts";

const PROGRAM = "dovecot";
const IMAP_PROGRAM = "/usr/lib/dovecot/imap";
const READY_TRIES = 100;
const READY_PAUSE_MS = 50;
/** Owner of the mail when the daemon is started by root: Dovecot serves no mail as root. */
const NOBODY = 65_534;

/** Why there is no Dovecot to ask; undefined when there is. */
export function whyNoDovecot(): string | undefined {
  if (Bun.which(PROGRAM, { PATH: searchPath() }) === null) return "dovecot is not installed";
  if (!existsSync(IMAP_PROGRAM)) return "the package dovecot-imapd is not installed";
  const version = Bun.spawnSync([PROGRAM, "--version"], { env: { ...process.env, PATH: searchPath() } })
    .stdout.toString()
    .trim();
  return version.startsWith("2.3.") ? undefined : `its configuration is for Dovecot 2.3, not ${version}`;
}

/** Daemons live outside a user's PATH. */
function searchPath(): string {
  return `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
}

/** Ports of 127.0.0.1. */
interface Ports {
  imap: number;
  /** Mail comes in here (RFC 2033); absent: nowhere. */
  lmtp: number | undefined;
}

export class Dovecot {
  readonly dir: string;
  /** IMAP, on 127.0.0.1. */
  readonly port: number;
  /** 0 without LMTP. */
  readonly lmtpPort: number;
  readonly #process: Subprocess;

  private constructor(dir: string, ports: Ports, child: Subprocess) {
    this.dir = dir;
    this.port = ports.imap;
    this.lmtpPort = ports.lmtp ?? 0;
    this.#process = child;
  }

  /**
   * @param users who can log in, all with `password`
   * @param options.lmtp takes mail for them by LMTP (package dovecot-lmtpd)
   * @throws {Error} with the daemon's log
   */
  static async start(
    users: readonly string[],
    password: string,
    options: { lmtp?: boolean } = {},
  ): Promise<Dovecot> {
    const dir = mkdtempSync(join(tmpdir(), "oracle-"));
    // Its unprivileged processes must get through.
    chmodSync(dir, 0o755);
    for (const name of ["run", "state", "mail"]) mkdirSync(join(dir, name));
    if (process.getuid?.() === 0) chownSync(join(dir, "mail"), NOBODY, NOBODY);
    const ports = { imap: freePort(), lmtp: options.lmtp === true ? freePort() : undefined };
    writeFileSync(join(dir, "users"), users.map((user) => `${user}:{PLAIN}${password}\n`).join(""));
    writeFileSync(join(dir, "dovecot.conf"), configuration(dir, ports));
    const child = Bun.spawn([PROGRAM, "-F", "-c", join(dir, "dovecot.conf")], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
      env: { PATH: searchPath(), TZ: "UTC" },
    });
    const dovecot = new Dovecot(dir, ports, child);
    try {
      await dovecot.#ready();
    } catch (error) {
      const log = await dovecot.log();
      await dovecot.stop();
      throw new Error(`Dovecot did not start:\n${log}`, { cause: error });
    }
    return dovecot;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Where the mail of a user goes. */
  maildir(user: string): string {
    return join(this.dir, "mail", user, "Maildir");
  }

  /** Hands a user's directory over to the processes that serve it. */
  own(user: string): void {
    if (process.getuid?.() !== 0) return;
    const home = join(this.dir, "mail", user);
    for (const path of ["", "Maildir", "Maildir/cur", "Maildir/new", "Maildir/tmp"])
      chownSync(join(home, path), NOBODY, NOBODY);
  }

  async log(): Promise<string> {
    const file = Bun.file(join(this.dir, "log"));
    return (await file.exists()) ? file.text() : "";
  }

  /**
   * Ends the daemon with its children and removes all of it.
   * @param keepLogIn a directory for its log
   * @param last runs when nobody writes any more, before the files go
   */
  async stop(keepLogIn?: string, last: () => void = () => {}): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.exited;
    last();
    if (keepLogIn !== undefined && existsSync(join(this.dir, "log"))) {
      mkdirSync(keepLogIn, { recursive: true });
      cpSync(join(this.dir, "log"), join(keepLogIn, "dovecot.log"));
    }
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** The only sign of life is the port. */
  async #ready(): Promise<void> {
    for (let tried = 1; !(await isListening(this.port)); tried++) {
      if (tried === READY_TRIES || this.#process.exitCode !== null) throw new Error("nobody listens");
      await Bun.sleep(READY_PAUSE_MS);
    }
  }
}

/** Dovecot wants users and groups by name, which the environment need not tell. */
function idOf(flag: string): string {
  return Bun.spawnSync(["id", flag]).stdout.toString().trim();
}

function configuration(dir: string, { imap, lmtp }: Ports): string {
  const isRoot = process.getuid?.() === 0;
  const users = isRoot
    ? "first_valid_uid = 1"
    : `default_login_user = ${idOf("-un")}\ndefault_internal_user = ${idOf("-un")}\n` +
      `default_internal_group = ${idOf("-gn")}\nfirst_valid_uid = 1`;
  const jails = isRoot ? [] : ["imap-login", "anvil", "stats"];
  const [uid, gid] = isRoot ? [NOBODY, NOBODY] : [idOf("-u"), idOf("-g")];
  return `
protocols = imap${lmtp === undefined ? "" : " lmtp"}
base_dir = ${dir}/run
state_dir = ${dir}/state
log_path = ${dir}/log
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
${users}
${jails.map((name) => `service ${name} {\n  chroot =\n}`).join("\n")}
mail_location = maildir:${dir}/mail/%u/Maildir
mail_plugins = quota listescape
imap_metadata = yes
mail_attribute_dict = file:${dir}/mail/%u/attributes
mail_fsync = never
mail_max_userip_connections = 100
protocol imap {
  mail_plugins = quota listescape imap_quota
}
namespace inbox {
  inbox = yes
  separator = /
${["Archive", "Drafts", "Junk", "Sent", "Trash"]
  .map((name) => `  mailbox ${name} {\n    special_use = \\${name}\n  }`)
  .join("\n")}
}
passdb {
  driver = passwd-file
  args = ${dir}/users
}
userdb {
  driver = static
  args = uid=${uid} gid=${gid} home=${dir}/mail/%u
}
service imap-login {
  process_min_avail = 2
  inet_listener imap {
    port = ${imap}
  }
  inet_listener imaps {
    port = 0
  }
}
${lmtp === undefined ? "" : lmtpService(lmtp)}
plugin {
  quota = count:User quota
  quota_rule = *:storage=1G
  quota_vsizes = yes
}
`;
}

/** Processes wait for the next message: a new one for each would be what measurements show. */
function lmtpService(port: number): string {
  return `
service lmtp {
  process_min_avail = 4
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${port}
  }
}
`;
}
