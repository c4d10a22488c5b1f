/**
 * What was changed at run time, under madmail's `__KEY__` names; written through. A setting beats the configuration,
 * and an unset or unreadable one leaves the decision to it.
 */
import type { Config } from "../config/config.ts";
import type { SettingRows } from "../db/settings.ts";

const KEY = /^__[A-Z0-9_]{1,60}__$/;
const VALUE_MAX_LENGTH = 8192;
const TRUE = /^(true|t|yes|y|1|on|enabled?|open)$/i;
const FALSE = /^(false|f|no|n|0|off|disabled?|closed)$/i;

/** Keys with a meaning in this program. */
export const settingKeys = {
  registrationOpen: "__REGISTRATION_OPEN__",
  jitEnabled: "__JIT_REGISTRATION_ENABLED__",
  tokenRequired: "__REGISTRATION_TOKEN_REQUIRED__",
  shadowsocksEnabled: "__SS_ENABLED__",
  shadowsocksCipher: "__SS_CIPHER__",
  shadowsocksPassword: "__SS_PASSWORD__",
  irohEnabled: "__IROH_ENABLED__",
  irohUrl: "__IROH_RELAY_URL__",
  pushMode: "__PUSH_MODE__",
  pushEnabled: "__PUSH_ENABLED__",
  federationEnabled: "__FEDERATION_ENABLED__",
  federationPolicy: "__FEDERATION_POLICY__",
  retentionEnabled: "__MESSAGE_RETENTION_ENABLED__",
  retention: "__MESSAGE_RETENTION__",
  purgeSeen: "__AUTO_PURGE_SEEN__",
} as const;

export class Settings {
  readonly #rows: SettingRows;
  readonly #config: () => Config;
  readonly #values = new Map<string, string>();

  constructor(rows: SettingRows, config: () => Config) {
    this.#rows = rows;
    this.#config = config;
  }

  hydrate(): void {
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

  get(key: string): string | undefined {
    return this.#values.get(key);
  }

  /** A setting that says yes or no. @returns undefined when unset or neither */
  flag(key: string): boolean | undefined {
    const value = this.#values.get(key)?.trim() ?? "";
    if (TRUE.test(value)) return true;
    return FALSE.test(value) ? false : undefined;
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
    this.#rows.put(key, value);
    this.#values.set(key, value);
  }

  setFlag(key: string, value: boolean): void {
    this.set(key, String(value));
  }

  /** Back to the configuration. */
  unset(key: string): void {
    this.#rows.remove(key);
    this.#values.delete(key);
  }
}
