/** Persian. */
import type { Texts } from "./en.ts";
import { frame } from "./fa/frame.ts";
import { people } from "./fa/people.ts";
import { relay } from "./fa/relay.ts";

export const fa: Texts = { ...frame, ...people, ...relay };
