/**
 * What was changed at run time, under madmail's `__KEY__` names; written through. A setting beats the configuration,
 * and an unset or unreadable one leaves the decision to it.
 */
import type { Config } from "../config/config.ts";
import { readFlag } from "../config/setting-kinds.ts";
import type { SettingRows } from "../db/settings.ts";

const KEY = /^__[A-Z0-9_]{1,60}__$/;
const VALUE_MAX_LENGTH = 8192;

/**
 * Keys that are read here, so that a change counts with the next question. The others come by way of the configuration
 * in force: see config/settings.ts, which has them all.
 */
export const settingKeys = {
  registrationOpen: "__REGISTRATION_OPEN__",
  jitEnabled: "__JIT_REGISTRATION_ENABLED__",
  tokenRequired: "__REGISTRATION_TOKEN_REQUIRED__",
  federationEnabled: "__FEDERATION_ENABLED__",
  federationPolicy: "__FEDERATION_POLICY__",
  wwwDir: "__WWW_DIR__",
} as const;

export class Settings {
  readonly #rows: SettingRows;
  readonly #config: () => Config;
  readonly #values = new Map<string, string>();
  #revision = 0;

  constructor(rows: SettingRows, config: () => Config) {
    this.#rows = rows;
    this.#config = config;
  }

  hydrate(): void {
    this.#revision++;
    this.#values.clear();
    this.#rows.forEach((key, value) => this.#values.set(key, value));
  }

  /** Whether `/new` hands out accounts, and accounts may be made at all. */
  get registrationOpen(): boolean {
    return this.flag(settingKeys.registrationOpen) ?? this.#config().accounts.registration === "open";
  }

  /**
   * Whether an unknown address is created at its first login. Closing registration closes this too, and so does asking
   * for tokens: there is no place for one in a login, and an invitation that anyone can go without is none.
   */
  get jitEnabled(): boolean {
    const wanted = this.flag(settingKeys.jitEnabled) ?? this.#config().accounts.create_at_login;
    return wanted && this.registrationOpen && !this.tokenRequired;
  }

  get tokenRequired(): boolean {
    return this.flag(settingKeys.tokenRequired) ?? this.#config().accounts.token_required;
  }

  /** Another number after every change. */
  get revision(): number {
    return this.#revision;
  }

  get(key: string): string | undefined {
    return this.#values.get(key);
  }

  /** A setting that says yes or no. @returns undefined when unset or neither */
  flag(key: string): boolean | undefined {
    return readFlag(this.#values.get(key) ?? "");
  }

  entries(): IterableIterator<[string, string]> {
    return this.#values.entries();
  }

  /** @throws {RangeError} on a key that is not `__NAME__`, or a value of more than 8192 characters */
  set(key: string, value: string): void {
    if (!KEY.test(key)) throw new RangeError(`setting ${key}: expected a name such as __LANGUAGE__`);
    if (value.length > VALUE_MAX_LENGTH) {
      throw new RangeError(`setting ${key}: expected at most ${VALUE_MAX_LENGTH} characters`);
    }
    this.#revision++;
    this.#rows.put(key, value);
    this.#values.set(key, value);
  }

  setFlag(key: string, value: boolean): void {
    this.set(key, String(value));
  }

  /** Back to the configuration. */
  unset(key: string): void {
    this.#revision++;
    this.#rows.remove(key);
    this.#values.delete(key);
  }
}
