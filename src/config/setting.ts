/** What a setting is, and how one is declared. */
import type { Config } from "./config.ts";
import type { SettingKind } from "./setting-kinds.ts";

/** When a change counts: at once, at the next reload, at the next start. */
export type SettingEffect = "live" | "reload" | "restart";

/** A configuration that is being put together. */
export type Draft = Mutable<Config>;
type Mutable<T> = T extends string | number | boolean | undefined
  ? T
  : { -readonly [K in keyof T]: Mutable<T[K]> };

export interface Setting {
  /** As faces call it: `turn_port`. */
  readonly name: string;
  /** As the database has it: `__TURN_PORT__`. */
  readonly key: string;
  readonly effect: SettingEffect;
  readonly doc: string;
  /** What it beats in the file: `turn.listen`. */
  readonly path: string;
  readonly kind: Pick<SettingKind<unknown>, "name" | "allowed" | "expects">;
  /** Another setting that says the same in another way, and goes when this one is set. */
  readonly replaces: string | undefined;
  /** A toggle that is on from when this one is set. */
  readonly switchesOn: string | undefined;
  /** It is about where something listens: the file can have turned that off. */
  readonly isPlace: boolean;
  /** What a configuration says, in the words of this setting; "" is nothing. */
  show(config: Config): string;
  /** The same value as operators see it. @returns undefined for text that makes no sense */
  shown(text: string): string | undefined;
  /** As the database is to have it. @returns undefined for text that makes no sense */
  kept(text: string): string | undefined;
  /** Text that makes no sense changes nothing. */
  apply(draft: Draft, text: string): void;
}

interface Declared<T> {
  name: string;
  /** Where the key is not the name in capitals. */
  key?: string;
  kind: SettingKind<T>;
  effect: SettingEffect;
  path: string;
  doc: string;
  replaces?: string;
  switchesOn?: string;
  isPlace?: true;
  of: (config: Config) => T | undefined;
  put: (draft: Draft, value: T) => void;
}

/** Ties text to a place in the configuration. */
export function setting<T>(declared: Declared<T>): Setting {
  const {
    name,
    key = keyOf(name),
    kind,
    effect,
    path,
    doc,
    replaces,
    switchesOn,
    isPlace,
    of,
    put,
  } = declared;
  const said = (config: Config): string => {
    const value = of(config);
    return value === undefined ? "" : kind.show(value);
  };
  const translated = (text: string, to: (value: T) => string) => {
    const value = kind.read(text);
    return value === undefined ? undefined : to(value);
  };
  return {
    name,
    key,
    effect,
    doc,
    path,
    kind,
    replaces,
    switchesOn,
    isPlace: isPlace === true,
    show: said,
    shown: (text) => translated(text, kind.show),
    kept: (text) => translated(text, kind.keep),
    apply(draft, text) {
      const value = kind.read(text);
      if (value !== undefined) put(draft, value);
    },
  };
}

function keyOf(name: string): string {
  return `__${name.toUpperCase()}__`;
}
