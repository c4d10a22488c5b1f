/** What operators change at run time: every setting with its source, and when it counts. */
import { z } from "zod";
import type { Config } from "../config/config.ts";
import type { Setting } from "../config/setting.ts";
import { applySettings, settingFaults, settingNamed, settings } from "../config/settings.ts";
import { masterKey, methods } from "../shadowsocks/engine/methods.ts";
import type { OperationContext } from "./context.ts";
import { operation, OperationError } from "./operation.ts";

const TEXT_MAX_CHARS = 8192;

const settingRow = z.strictObject({
  /** As http.md and the command line call it: `turn_port`. */
  name: z.string(),
  /** As the database has it: `__TURN_PORT__`. */
  key: z.string(),
  /** "" is nothing; null is a secret that was not asked for. */
  value: z.string().nullable(),
  source: z.enum(["default", "file", "setting"]),
  effect: z.enum(["live", "reload", "restart"]),
  /** Set, but not in force: `inForce` is. */
  pending: z.boolean(),
  inForce: z.string().nullable(),
  secret: z.boolean(),
  kind: z.string(),
  allowed: z.array(z.string()).optional(),
  expects: z.string(),
  /** What it beats in the configuration file. */
  path: z.string(),
  summary: z.string(),
});
type SettingRow = z.output<typeof settingRow>;

const nameField = z.string().trim().min(1).max(80);
/** What the caller believes the value to be; with another one nothing is changed. */
const expected = z.string().max(TEXT_MAX_CHARS).optional();
/** Faces may say 25, true or "25". */
const valueField = z.union([z.string().max(TEXT_MAX_CHARS), z.number(), z.boolean()]).transform(String);
const changed = settingRow.extend({ notices: z.array(z.string()) });

export const settingOperations = {
  "settings.list": operation({
    summary: "Every setting: value, source, and whether it waits for a reload",
    permission: "read",
    reveals: ({ secrets }) => secrets,
    input: z.strictObject({ secrets: z.boolean().default(false), changed: z.boolean().default(false) }),
    output: z.strictObject({
      settings: z.array(settingRow),
      /** Names of those that wait. */
      pending: z.array(z.string()),
    }),
    run(context, { secrets, changed: onlyChanged }) {
      const rows = rowsOf(context);
      const shown = onlyChanged ? rows.filter(({ source }) => source === "setting") : rows;
      return {
        settings: secrets ? shown : shown.map(withoutSecret),
        pending: pendingOf(rows),
      };
    },
  }),

  "settings.get": operation({
    summary: "One setting, secrets included",
    permission: "read",
    reveals: ({ name }) => settingNamed(name)?.kind.name === "secret",
    input: z.strictObject({ name: nameField }),
    output: settingRow,
    run: (context, { name }) => rowOf(context, requireSetting(name), wantedConfig(context)),
  }),

  "settings.set": operation({
    summary: "Change a setting",
    permission: "change",
    input: z.strictObject({ name: nameField, value: valueField, expected }),
    output: changed,
    run: (context, { name, value, expected: believed }) =>
      changeSetting(context, requireSetting(name), value, believed),
  }),

  "settings.reset": operation({
    summary: "Leave a setting to the configuration file",
    permission: "change",
    input: z.strictObject({ name: nameField, expected }),
    output: changed,
    run: (context, { name, expected: believed }) =>
      changeSetting(context, requireSetting(name), undefined, believed),
  }),
};

/** Names of settings that wait for a reload or a start. */
export function pendingSettings(context: OperationContext): string[] {
  return context.live === undefined ? [] : pendingOf(rowsOf(context));
}

function pendingOf(rows: readonly SettingRow[]): string[] {
  return rows.filter(({ pending }) => pending).map(({ name }) => name);
}

function rowsOf(context: OperationContext): SettingRow[] {
  const wanted = wantedConfig(context);
  return settings.map((setting) => rowOf(context, setting, wanted));
}

/** @throws {OperationError} */
export function requireSetting(name: string): Setting {
  const setting = settingNamed(name);
  if (setting === undefined) throw new OperationError("notFound", `there is no setting ${name}`);
  return setting;
}

/** For operations about a few of them. `wanted` is what the next reload or start puts into force. */
export function settingRowOf(context: OperationContext, name: string): SettingRow & { wanted: string } {
  const setting = requireSetting(name);
  const wanted = wantedConfig(context);
  return { ...rowOf(context, setting, wanted), wanted: setting.show(wanted) };
}

/**
 * Sets or, without text, resets; what can be in force at once is.
 * @throws {OperationError} then nothing has changed
 */
export async function changeSetting(
  context: OperationContext,
  setting: Setting,
  text: string | undefined,
  believed?: string,
): Promise<z.output<typeof changed>> {
  const { state, live } = context;
  const kept = text === undefined ? undefined : readText(setting, text);
  const before = valueOf(context, setting);
  if (believed !== undefined && (setting.shown(believed) ?? believed) !== before) {
    throw new OperationError("conflict", `${setting.name} is ${shownOr(before)} by now; nothing was changed`);
  }
  const changes = new Map([
    [setting.key, kept],
    ...(setting.replaces === undefined ? [] : [[setting.replaces, undefined] as const]),
    ...(setting.switchesOn === undefined || kept === undefined
      ? []
      : [[setting.switchesOn, "true"] as const]),
  ]);
  refuseNonsense(context, setting, kept, changes);
  for (const [key, value] of changes) {
    if (value === undefined) state.settings.unset(key);
    else state.settings.set(key, value);
  }
  const notices = live !== undefined && setting.effect === "live" ? await live.applySettings() : [];
  return { ...rowOf(context, setting, wantedConfig(context)), notices };
}

function readText(setting: Setting, text: string): string {
  const kept = text.trim() === "" ? undefined : setting.kept(text);
  if (kept !== undefined) return kept;
  const found = setting.kind.name === "secret" ? "something else" : shownOr(text.slice(0, 100));
  throw new OperationError("invalid", `${setting.name}: expected ${setting.kind.expects}, found ${found}`);
}

/** @throws {OperationError} for what makes no sense with the other settings */
function refuseNonsense(
  context: OperationContext,
  setting: Setting,
  kept: string | undefined,
  changes: ReadonlyMap<string, string | undefined>,
): void {
  const { state, fileConfig } = context;
  const lookup = (key: string) => (changes.has(key) ? changes.get(key) : state.settings.get(key));
  const [fault] = settingFaults(fileConfig(), lookup);
  if (fault !== undefined) throw new OperationError("invalid", fault);
  const next = applySettings(fileConfig(), lookup);
  if (kept !== undefined && setting.isPlace && setting.show(next) !== setting.shown(kept)) {
    throw new OperationError(
      "refused",
      `${setting.name}: the configuration file (${setting.path}) leaves no room for this; change it there`,
    );
  }
  const { cipher, password } = next.shadowsocks;
  const isProxy = setting.path.startsWith("shadowsocks.");
  if (isProxy && password !== undefined && masterKey(methods[cipher], password) === undefined) {
    throw new OperationError(
      "invalid",
      `${cipher} needs a password of exactly ${methods[cipher].keyBytes} bytes in base64; set that one first, or reset the password to have one made`,
    );
  }
}

/** What the next reload or start puts into force. */
function wantedConfig({ fileConfig, state }: OperationContext): Config {
  return applySettings(fileConfig(), (key) => state.settings.get(key));
}

function rowOf(context: OperationContext, setting: Setting, wanted: Config): SettingRow {
  const { config, fileConfig, live } = context;
  const { name, key, effect, kind, path, doc } = setting;
  const isSet = storedValue(context, setting) !== undefined;
  const given = fileConfig().given.includes(path);
  const inForce = setting.show(config());
  return {
    name,
    key,
    value: valueOf(context, setting),
    source: isSet ? "setting" : given ? "file" : "default",
    effect,
    pending: live !== undefined && effect !== "live" && inForce !== setting.show(wanted),
    inForce,
    secret: kind.name === "secret",
    kind: kind.name,
    ...(kind.allowed === undefined ? {} : { allowed: [...kind.allowed] }),
    expects: kind.expects,
    path,
    summary: doc,
  };
}

function valueOf(context: OperationContext, setting: Setting): string {
  return storedValue(context, setting) ?? setting.show(context.fileConfig());
}

/** Unreadable text in the database counts as none. */
function storedValue({ state }: OperationContext, setting: Setting): string | undefined {
  const text = state.settings.get(setting.key);
  return text === undefined ? undefined : setting.shown(text);
}

function withoutSecret(row: SettingRow): SettingRow {
  if (!row.secret) return row;
  return { ...row, value: row.value === "" ? "" : null, inForce: row.inForce === "" ? "" : null };
}

function shownOr(value: string): string {
  return value === "" ? "not set" : value;
}
