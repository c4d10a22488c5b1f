import { english } from "./texts-en.ts";
import type { Texts } from "./texts.ts";

export const persian: Texts = { ...english, language: "fa" };
