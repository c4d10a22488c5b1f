/** The public site: whose pages it shows, and short addresses of contacts. */
import { z } from "zod";
import {
  CONTACT_NAME_MAX_CHARS,
  isReservedSlug,
  parseInvite,
  parseSlug,
  RESERVED_URL,
} from "../core/contact.ts";
import { settingKeys } from "../state/settings.ts";
import { count } from "./fields.ts";
import { operation, OperationError } from "./operation.ts";

/** Value of the setting that says: the built-in pages, whatever the configuration says. */
const EMBEDDED = "embedded";
const LIST_MAX = 1000;

const slug = z.string().transform((text, issue) => {
  const parsed = parseSlug(text);
  if (parsed === undefined) {
    issue.addIssue({ code: "custom", message: `expected 3 to 32 letters a to z or digits, found ${text}` });
    return z.NEVER;
  }
  return parsed;
});
const invite = z.string().transform((text, issue) => {
  const parsed = parseInvite(text);
  if (parsed === undefined) {
    issue.addIssue({
      code: "custom",
      message: "expected an invitation: https://i.delta.chat/#… or openpgp4fpr:…",
    });
    return z.NEVER;
  }
  return parsed;
});
const name = z.string().trim().max(CONTACT_NAME_MAX_CHARS);
const contact = z.strictObject({
  slug: z.string(),
  url: z.string(),
  name: z.string(),
  createdAtSec: z.int(),
});

export const siteOperations = {
  "site.pages": operation({
    summary: "Whose pages the site shows",
    permission: "read",
    input: z.strictObject({}),
    output: z.strictObject({ dir: z.string().nullable(), source: z.enum(["built-in", "file", "setting"]) }),
    run({ config, state }) {
      const set = state.settings.get(settingKeys.wwwDir);
      if (set !== undefined) return { dir: set === EMBEDDED ? null : set, source: "setting" as const };
      const dir = config().site.www_dir;
      return { dir: dir ?? null, source: dir === undefined ? ("built-in" as const) : ("file" as const) };
    },
  }),

  "site.usePages": operation({
    summary: "Show the pages of a directory, or the built-in ones; in effect at once",
    permission: "change",
    input: z.strictObject({ dir: z.string().regex(/^\//, "an absolute path").max(4096).nullable() }),
    output: z.strictObject({ dir: z.string().nullable() }),
    run({ config, state }, { dir }) {
      if (dir !== null) state.settings.set(settingKeys.wwwDir, dir);
      else if (config().site.www_dir === undefined) state.settings.unset(settingKeys.wwwDir);
      else state.settings.set(settingKeys.wwwDir, EMBEDDED);
      return { dir };
    },
  }),

  "contacts.list": operation({
    summary: "Short addresses of contacts, by name",
    permission: "read",
    input: z.strictObject({
      limit: z.int().min(1).max(LIST_MAX).default(100),
      offset: z.int().nonnegative().default(0),
    }),
    output: z.strictObject({ total: count, enabled: z.boolean(), contacts: z.array(contact) }),
    run: ({ config, state }, { limit, offset }) => ({
      total: state.contacts.size,
      enabled: config().site.contact_sharing,
      contacts: state.contacts.list(limit, offset),
    }),
  }),

  "contacts.create": operation({
    summary: "Make a short address that leads to an invitation",
    permission: "change",
    input: z.strictObject({ slug, url: invite, name: name.default("") }),
    output: z.strictObject({ slug: z.string(), url: z.string(), name: z.string() }),
    run({ state }, made) {
      const fault = state.contacts.add(made);
      if (fault === undefined) return made;
      if (fault === "full") throw new OperationError("refused", "there are too many short addresses");
      throw new OperationError("conflict", `${made.slug}: this short address is ${fault}`);
    },
  }),

  "contacts.reserve": operation({
    summary: "Keep a short address free: nobody can take it, and it shows nothing",
    permission: "change",
    input: z.strictObject({ slug }),
    output: z.strictObject({ slug: z.string() }),
    run({ state }, reserved) {
      if (isReservedSlug(reserved.slug)) return reserved;
      if (state.contacts.add({ slug: reserved.slug, url: RESERVED_URL, name: "" }) === undefined)
        return reserved;
      throw new OperationError("conflict", `${reserved.slug}: this short address is taken`);
    },
  }),

  "contacts.update": operation({
    summary: "Change where a short address leads, or the name it shows",
    permission: "change",
    input: z.strictObject({ slug, url: invite.optional(), name: name.optional() }),
    output: z.strictObject({ slug: z.string(), url: z.string(), name: z.string() }),
    run({ state }, change) {
      const known = state.contacts.find(change.slug);
      if (known === undefined) throw new OperationError("notFound", `share not found: ${change.slug}`);
      const next = { slug: known.slug, url: change.url ?? known.url, name: change.name ?? known.name };
      state.contacts.change(next);
      return next;
    },
  }),

  "contacts.remove": operation({
    summary: "Take a short address away; it can be made again",
    permission: "destroy",
    input: z.strictObject({ slug }),
    output: z.strictObject({ removed: z.string() }),
    run({ state }, gone) {
      if (state.contacts.remove(gone.slug)) return { removed: gone.slug };
      throw new OperationError("notFound", `share not found: ${gone.slug}`);
    },
  }),
};
