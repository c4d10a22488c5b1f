import { english } from "./texts-en.ts";
import type { Texts } from "./texts.ts";

export const spanish: Texts = { ...english, language: "es" };
