/**
 * The systemd units: the relay, and what brings the version before back when a new one does not start.
 * The first line carries a sum of the rest, so that a unit the operator has edited is known and kept.
 */
import { createHash } from "node:crypto";
import type { Places } from "./places.ts";

const MARK = /^# Made by installation, sum ([0-9a-f]{16})\. Once you edit this file, it is kept as it is\.\n/;
/** Sixteen digits are plenty: this is about edits, not about attacks. */
const SUM_DIGITS = 16;

/** The relay's unit. */
export function serviceUnit({ name, link, configFile, stateDir, recoverUnit }: Places): string {
  const standard = stateDir === `/var/lib/${name}`;
  const state = standard ? `StateDirectory=${name}\nStateDirectoryMode=0700` : `ReadWritePaths=${stateDir}`;
  return marked(`[Unit]
Description=${name}
Wants=network-online.target
After=network-online.target nss-lookup.target
StartLimitIntervalSec=300
StartLimitBurst=5
OnFailure=${recoverUnit.slice(recoverUnit.lastIndexOf("/") + 1)}

[Service]
Type=notify
ExecStart=${link} run --config ${configFile}
ExecReload=/bin/kill -HUP $MAINPID
User=${name}
Group=${name}
WorkingDirectory=${stateDir}
${state}
UMask=0077

# Exit code 2 is a configuration that can't work: starting again would not help.
Restart=on-failure
RestartSec=2
RestartPreventExitStatus=2
TimeoutStartSec=300
TimeoutStopSec=20
# The relay says twice in this time that it is alive.
WatchdogSec=60

# One slow disk must not stop all file work.
Environment=UV_THREADPOOL_SIZE=16
LimitNOFILE=65536
OOMPolicy=stop

# Ports below 1024, and nothing else that root may.
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes

ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
ProtectProc=invisible
ProcSubset=pid
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RemoveIPC=yes
KeyringMode=private
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
# No MemoryDenyWriteExecute: the JavaScript engine compiles while it runs.

[Install]
WantedBy=multi-user.target
`);
}

/** Runs when the relay has failed for good: undoes an upgrade that nobody confirmed, with the program before it. */
export function recoverUnit({ name, previous, journal, tree }: Places): string {
  return marked(`[Unit]
Description=${name} recovery
ConditionPathExists=${journal}
ConditionPathExists=${previous}/${name}

[Service]
Type=oneshot
ExecStart=${previous}/${name} versions recover
WorkingDirectory=${tree}
NoNewPrivileges=yes
ProtectHome=yes
PrivateTmp=yes
`);
}

/** Whether a unit is as this program, of any version, has written it. */
export function isUntouched(text: string): boolean {
  const [head = "", sum] = MARK.exec(text) ?? [];
  return sum === sumOf(text.slice(head.length));
}

function marked(text: string): string {
  return `# Made by installation, sum ${sumOf(text)}. Once you edit this file, it is kept as it is.\n${text}`;
}

function sumOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, SUM_DIGITS);
}
