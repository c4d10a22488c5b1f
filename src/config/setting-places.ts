/** Settings about where services listen: port, loopback or not, at all or not. */
import type { Config, ListenAddress, ListenerName } from "./config.ts";
import { type Draft, type Setting, setting } from "./setting.ts";
import { portKind, toggleKind } from "./setting-kinds.ts";

interface Place {
  /** As its settings begin. */
  name: string;
  title: string;
  path: string;
  /** Of a service that listens nowhere by itself: a port opens it. */
  opens?: true;
  of(config: Config): readonly ListenAddress[];
  put(draft: Draft, addresses: ListenAddress[]): void;
}

function listener(name: string, key: ListenerName, title: string): Place {
  return {
    name,
    title,
    path: `listen.${key}`,
    of: ({ listen }) => listen[key],
    put: (draft, addresses) => (draft.listen[key] = addresses),
  };
}

const places: Place[] = [
  listener("smtp", "smtp", "mail from other servers"),
  listener("submission", "submission", "mail from users, STARTTLS"),
  listener("submission_tls", "submissions", "mail from users, TLS"),
  listener("imap", "imap", "IMAP, STARTTLS"),
  listener("imap_tls", "imaps", "IMAP, TLS"),
  {
    name: "turn",
    title: "calls",
    path: "turn.listen",
    of: ({ turn }) => turn.listen,
    put: (draft, addresses) => (draft.turn.listen = addresses),
  },
  {
    name: "iroh",
    title: "the iroh relay alone, besides http and https",
    path: "iroh.listen",
    opens: true,
    of: ({ iroh }) => iroh.listen,
    put: (draft, addresses) => (draft.iroh.listen = addresses),
  },
  {
    name: "ss",
    title: "Shadowsocks",
    path: "shadowsocks.listen",
    of: ({ shadowsocks }) => shadowsocks.listen,
    put: (draft, addresses) => (draft.shadowsocks.listen = addresses),
  },
  listener("http", "http", "the site without TLS"),
  listener("https", "https", "the site"),
];

const usualPorts: Record<string, number> = { http: 80, https: 443 };
const everywhere = ["0.0.0.0", "::"];

function portSetting(place: Place): Setting {
  return setting({
    name: `${place.name}_port`,
    kind: portKind,
    effect: "reload",
    path: place.path,
    doc: `Port of ${place.title}`,
    isPlace: true,
    of: (config) => place.of(config)[0]?.port,
    put: (draft, port) => place.put(draft, withPort(place.of(draft as Config), port, place.opens === true)),
  });
}

function localSetting(place: Place): Setting {
  return setting({
    name: `${place.name}_local_only`,
    kind: toggleKind("true", "false"),
    effect: "reload",
    path: place.path,
    doc: `Only this machine reaches ${place.title}`,
    isPlace: true,
    of(config) {
      const addresses = place.of(config);
      return addresses.length > 0 && addresses.every(({ host }) => isLoopback(host));
    },
    put(draft, only) {
      if (only) place.put(draft, loopback(place.of(draft as Config)));
    },
  });
}

/** The listener's switch; it goes before port and host, which do not open what is off. */
function listenerSwitch(place: Place): Setting {
  return setting({
    name: `${place.name}_enabled`,
    kind: toggleKind(),
    effect: "reload",
    path: place.path,
    doc: `Whether anything listens for ${place.title}`,
    isPlace: true,
    of: (config) => place.of(config).length > 0,
    put(draft, on) {
      if (!on) return place.put(draft, []);
      const port = usualPorts[place.name] ?? 0;
      if (place.of(draft as Config).length === 0)
        place.put(
          draft,
          everywhere.map((host) => ({ host, port })),
        );
    },
  });
}

/** Addresses with the port of the first get the new one; others beside them stay. */
function withPort(addresses: readonly ListenAddress[], port: number, opens: boolean): ListenAddress[] {
  const [first] = addresses;
  if (first === undefined) return opens ? everywhere.map((host) => ({ host, port })) : [];
  return distinct(addresses.map((each) => (each.port === first.port ? { ...each, port } : { ...each })));
}

function loopback(addresses: readonly ListenAddress[]): ListenAddress[] {
  return distinct(
    addresses.map(({ host, port }) => {
      if (isLoopback(host)) return { host, port };
      return { host: host.includes(":") ? "::1" : "127.0.0.1", port };
    }),
  );
}

function isLoopback(host: string): boolean {
  return host.startsWith("127.") || host === "::1" || host === "localhost";
}

function distinct(addresses: readonly ListenAddress[]): ListenAddress[] {
  return [...new Map(addresses.map((each) => [`${each.host}|${each.port}`, each])).values()];
}

const isWeb = ({ name }: Place) => name === "http" || name === "https";

/** In the order of their application. */
export const placeSettings: readonly Setting[] = [
  ...places.filter(isWeb).map(listenerSwitch),
  ...places.map(portSetting),
  // A proxy that only this machine reaches is none.
  ...places.filter(({ name }) => name !== "ss").map(localSetting),
];
