/**
 * Mozilla's autoconfig answer (clientConfig 1.1), by which clients find the servers of an address.
 * Clients try the entries in this order; port 443 comes last, for networks that allow nothing else.
 */
import { type Domain, hostOf } from "../core/address.ts";
import type { ServicePorts } from "./links.ts";

export interface AutoconfigFacts {
  domain: Domain;
  /** Name or IP address to connect to. */
  host: string;
  ports: ServicePorts;
}

type Entry = readonly [port: number | undefined, socketType: "SSL" | "STARTTLS"];

export function autoconfigXml({ domain, host, ports }: AutoconfigFacts): string {
  const incoming: Entry[] = [
    [ports.imaps, "SSL"],
    [ports.imap, "STARTTLS"],
    [ports.https, "SSL"],
  ];
  const outgoing: Entry[] = [
    [ports.submissions, "SSL"],
    [ports.submission, "STARTTLS"],
    [ports.https, "SSL"],
  ];
  const name = escapeXml(hostOf(domain));
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<clientConfig version="1.1">',
    `  <emailProvider id="${name}">`,
    `    <domain>${name}</domain>`,
    `    <displayName>${name} chatmail</displayName>`,
    `    <displayShortName>${name}</displayShortName>`,
    ...servers("incomingServer", "imap", host, incoming),
    ...servers("outgoingServer", "smtp", host, outgoing),
    "  </emailProvider>",
    "</clientConfig>",
    "",
  ].join("\n");
}

function servers(tag: string, type: string, host: string, entries: readonly Entry[]): string[] {
  return entries.flatMap(([port, socketType]) => {
    if (port === undefined) return [];
    return [
      `    <${tag} type="${type}">`,
      `      <hostname>${escapeXml(host)}</hostname>`,
      `      <port>${port}</port>`,
      `      <socketType>${socketType}</socketType>`,
      "      <authentication>password-cleartext</authentication>",
      "      <username>%EMAILADDRESS%</username>",
      `    </${tag}>`,
    ];
  });
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
