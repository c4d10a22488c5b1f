import { en, type Texts } from "./en.ts";

export const fa: Texts = en;
