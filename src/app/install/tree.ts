/**
 * The versions of the program on this machine, and which of them is in use.
 *
 * Invariants
 * - A directory below `versions/` is complete: it is filled under another name, synced, and renamed.
 * - `current` and `previous` are links that are replaced in one go; at no moment is there no program.
 */
import * as fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { copySynced, linkTarget, linkWhole, sameBytes, sha256, syncDirectory } from "./files.ts";
import { at, InstallError, type Machine } from "./machine.ts";
import type { Places } from "./places.ts";

const EXECUTABLE_MODE = 0o755;
const READABLE = 0o644;
/** Names of what is being filled; no version begins with a dot. */
const INCOMING = ".incoming";
const VERSION = /^\d+\.\d+\.\d+[0-9A-Za-z.+-]*$/;

export interface InstalledVersion {
  version: string;
  bytes: number;
  isCurrent: boolean;
  isPrevious: boolean;
}

export class VersionTree {
  readonly #machine: Machine;
  readonly #places: Places;

  constructor(machine: Machine, places: Places) {
    this.#machine = machine;
    this.#places = places;
  }

  /** What the service starts now; undefined when nothing is installed. */
  current(): string | undefined {
    return this.#linked(this.#places.current);
  }

  previous(): string | undefined {
    return this.#linked(this.#places.previous);
  }

  /** Newest first. */
  list(): InstalledVersion[] {
    const dir = this.#at(this.#places.versions);
    if (!fs.existsSync(dir)) return [];
    const [current, previous] = [this.current(), this.previous()];
    const names = fs
      .readdirSync(dir)
      .filter((name) => VERSION.test(name) && fs.existsSync(this.executable(name)));
    return names
      .sort((a, b) => Bun.semver.order(b, a))
      .map((version) => ({
        version,
        bytes: fs.statSync(this.executable(version)).size,
        isCurrent: version === current,
        isPrevious: version === previous && version !== current,
      }));
  }

  has(version: string): boolean {
    return VERSION.test(version) && fs.existsSync(this.executable(version));
  }

  /** The executable of a version, as this process reaches it. */
  executable(version: string): string {
    return this.#at(join(this.#places.versions, version, this.#places.name));
  }

  signature(version: string): string {
    return `${this.executable(version)}.sig`;
  }

  /**
   * The name under which an executable is or would be kept: its version; with a piece of its hash behind it where other
   * bytes have that version already.
   */
  async nameFor(executable: string, version: string): Promise<string> {
    if (!VERSION.test(version)) throw new InstallError(`${executable}: ${version} is not a version`);
    const kept = this.#at(this.#places.versions);
    if (dirname(dirname(executable)) === kept) return basename(dirname(executable));
    if (!this.has(version) || (await sameBytes(executable, this.executable(version)))) return version;
    return `${version}+${(await sha256(executable)).slice(0, 8)}`;
  }

  /** Keeps an executable, and its signature where there is one, under that name. Does nothing when it is there. */
  place(executable: string, name: string): void {
    if (this.has(name)) return;
    const versions = this.#at(this.#places.versions);
    fs.mkdirSync(versions, { recursive: true, mode: EXECUTABLE_MODE });
    const incoming = join(versions, INCOMING);
    fs.rmSync(incoming, { recursive: true, force: true });
    fs.mkdirSync(incoming, { mode: EXECUTABLE_MODE });
    const inside = join(incoming, this.#places.name);
    copySynced(executable, inside, EXECUTABLE_MODE);
    const signature = `${executable}.sig`;
    if (fs.existsSync(signature)) copySynced(signature, `${inside}.sig`, READABLE);
    syncDirectory(incoming);
    const home = join(versions, name);
    // What is there has no executable, or `has` would have said so.
    fs.rmSync(home, { recursive: true, force: true });
    fs.renameSync(incoming, home);
    syncDirectory(versions);
  }

  /** Makes a version the one in use, and remembers the one before. */
  use(version: string): void {
    const before = this.current();
    if (before === version) return;
    if (!this.has(version)) throw new InstallError(`version ${version} is not installed`);
    // The first version is its own way back: systemd wants the recovery unit's program to be there.
    this.remember(before ?? version);
    linkWhole(this.#at(this.#places.current), join("versions", version));
  }

  /** Makes the version before the one in use again; what failed is no place to go back to. */
  goBack(version: string): void {
    if (!this.has(version)) throw new InstallError(`version ${version} is not installed any more`);
    linkWhole(this.#at(this.#places.current), join("versions", version));
  }

  /** Makes a version the one to go back to. */
  remember(version: string): void {
    if (this.previous() !== version) linkWhole(this.#at(this.#places.previous), join("versions", version));
  }

  /** @throws {InstallError} for the version in use */
  remove(version: string): void {
    if (!this.has(version)) throw new InstallError(`version ${version} is not installed`);
    if (version === this.current()) throw new InstallError(`version ${version} is in use; switch first`);
    if (version === this.previous()) fs.rmSync(this.#at(this.#places.previous), { force: true });
    fs.rmSync(dirname(this.executable(version)), { recursive: true });
  }

  /** Removes all but the version in use, the one before, and the newest others up to `keep` altogether. */
  prune(keep: number): string[] {
    const all = this.list();
    const held = all.filter(({ isCurrent, isPrevious }) => isCurrent || isPrevious);
    const others = all.filter((each) => !held.includes(each));
    const gone = others.slice(Math.max(0, keep - held.length)).map(({ version }) => version);
    for (const version of gone) this.remove(version);
    fs.rmSync(join(this.#at(this.#places.versions), INCOMING), { recursive: true, force: true });
    return gone;
  }

  #linked(link: string): string | undefined {
    const target = linkTarget(this.#at(link));
    return target === undefined ? undefined : basename(target);
  }

  #at(path: string): string {
    return at(this.#machine, path);
  }
}
