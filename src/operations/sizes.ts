/** How large messages may be, and the site's language. */
import { z } from "zod";
import { sizeText } from "../config/schema-fields.ts";
import { languages } from "../config/schema-web.ts";
import type { OperationContext } from "./context.ts";
import { bytes } from "./fields.ts";
import { operation } from "./operation.ts";
import { changeSetting, requireSetting, settingRowOf } from "./settings.ts";

const which = z.enum(["message", "federation"]);
const sizeFacts = z.strictObject({
  effectiveBytes: bytes,
  /** `30M` */
  effective: z.string(),
  /** As set at run time. */
  set: z.record(z.string(), z.string().nullable()),
  configBytes: bytes,
  config: z.string(),
});
const sizes = z.strictObject({ message: sizeFacts, federation: sizeFacts });

/** By the settings that say it; the smallest counts. */
const settingsOf = {
  message: ["max_message_size", "appendlimit"],
  federation: ["max_federation_size"],
} as const;

const language = z.strictObject({
  language: z.enum(languages),
  source: z.enum(["default", "file", "setting"]),
});

export const sizeOperations = {
  "sizes.get": operation({
    summary: "How large a message may be, and one that other servers bring by HTTP",
    permission: "read",
    input: z.strictObject({}),
    output: sizes,
    run: sizesOf,
  }),

  "sizes.set": operation({
    summary: "Change the largest message",
    permission: "change",
    input: z.strictObject({
      which: which.default("message"),
      size: z.string().trim().min(1, "size is required"),
    }),
    output: sizes,
    async run(context, input) {
      for (const name of settingsOf[input.which]) {
        await changeSetting(context, requireSetting(name), input.size);
      }
      return sizesOf(context);
    },
  }),

  "sizes.reset": operation({
    summary: "Leave the largest message to the configuration file",
    permission: "change",
    input: z.strictObject({ which: which.default("message") }),
    output: sizes,
    async run(context, input) {
      for (const name of settingsOf[input.which]) {
        await changeSetting(context, requireSetting(name), undefined);
      }
      return sizesOf(context);
    },
  }),

  "language.get": operation({
    summary: "Language of the site",
    permission: "read",
    input: z.strictObject({}),
    output: language,
    run: languageOf,
  }),

  "language.set": operation({
    summary: "Change the language of the site",
    permission: "change",
    input: z.strictObject({ language: z.enum(languages) }),
    output: language,
    async run(context, input) {
      await changeSetting(context, requireSetting("language"), input.language);
      return languageOf(context);
    },
  }),

  "language.reset": operation({
    summary: "Leave the language to the configuration file",
    permission: "change",
    input: z.strictObject({}),
    output: language,
    async run(context) {
      await changeSetting(context, requireSetting("language"), undefined);
      return languageOf(context);
    },
  }),
};

function sizesOf(context: OperationContext): z.output<typeof sizes> {
  const { limits, federation } = context.config();
  const file = context.fileConfig();
  const setOf = (names: readonly string[]) =>
    Object.fromEntries(
      names.map((name) => {
        const row = settingRowOf(context, name);
        return [name, row.source === "setting" ? row.value : null];
      }),
    );
  const facts = (effectiveBytes: number, configBytes: number, names: readonly string[]) => ({
    effectiveBytes,
    effective: sizeText(effectiveBytes),
    set: setOf(names),
    configBytes,
    config: sizeText(configBytes),
  });
  return {
    message: facts(limits.message_size, file.limits.message_size, settingsOf.message),
    federation: facts(
      Math.min(limits.message_size, federation.message_size),
      file.federation.message_size,
      settingsOf.federation,
    ),
  };
}

function languageOf(context: OperationContext): z.output<typeof language> {
  const { source } = settingRowOf(context, "language");
  return { language: context.config().site.language, source };
}
