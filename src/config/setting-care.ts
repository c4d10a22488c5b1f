/** Settings about what is deleted by itself. */
import { type Setting, setting } from "./setting.ts";
import { durationKind, toggleKind } from "./setting-kinds.ts";

const onOff = toggleKind();
/** Where deletion by age is turned on and no age is set anywhere. */
const RETENTION_FALLBACK_MS = 30 * 24 * 60 * 60 * 1000;

/** In the order of their application: the age, then whether it counts. */
export const careSettings: Setting[] = [
  setting({
    name: "message_retention",
    kind: durationKind,
    effect: "live",
    path: "maintenance.mail_retention",
    doc: "Age at which mail is deleted",
    of: ({ maintenance }) => (maintenance.mail_retention > 0 ? maintenance.mail_retention : undefined),
    put: (draft, ms) => (draft.maintenance.mail_retention = ms),
  }),
  setting({
    name: "message_retention_enabled",
    kind: onOff,
    effect: "live",
    path: "maintenance.mail_retention",
    doc: "Whether mail is deleted by age",
    of: ({ maintenance }) => maintenance.mail_retention > 0,
    put: ({ maintenance }, on) => {
      if (!on) maintenance.mail_retention = 0;
      else if (maintenance.mail_retention === 0) maintenance.mail_retention = RETENTION_FALLBACK_MS;
    },
  }),
  setting({
    name: "auto_purge_seen_enabled",
    key: "__AUTO_PURGE_SEEN__",
    kind: onOff,
    effect: "live",
    path: "maintenance.purge_seen",
    doc: "Whether read mail is deleted, whatever its age",
    of: ({ maintenance }) => maintenance.purge_seen,
    put: (draft, on) => (draft.maintenance.purge_seen = on),
  }),
  setting({
    name: "log_disabled",
    kind: toggleKind("true", "false"),
    effect: "live",
    path: "log.level",
    doc: "Whether nothing is logged, whatever the level of the file",
    of: ({ log }) => log.level === "off",
    put: ({ log }, silent) => {
      if (silent) log.level = "off";
    },
  }),
];
