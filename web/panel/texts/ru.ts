/** Russian. */
import type { Texts } from "./en.ts";
import { frame } from "./ru/frame.ts";
import { people } from "./ru/people.ts";
import { relay } from "./ru/relay.ts";

export const ru: Texts = { ...frame, ...people, ...relay };
