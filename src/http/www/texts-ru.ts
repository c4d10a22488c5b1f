import { english } from "./texts-en.ts";
import type { Texts } from "./texts.ts";

export const russian: Texts = { ...english, language: "ru" };
