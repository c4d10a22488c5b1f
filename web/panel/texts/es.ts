/** Spanish. */
import type { Texts } from "./en.ts";
import { frame } from "./es/frame.ts";
import { people } from "./es/people.ts";
import { relay } from "./es/relay.ts";

export const es: Texts = { ...frame, ...people, ...relay };
