/** English, and the shape of every other language: what is missing in one of them does not compile. */
import { frame } from "./en/frame.ts";
import { people } from "./en/people.ts";
import { relay } from "./en/relay.ts";

export const en = { ...frame, ...people, ...relay };

export type Texts = typeof en;
export type FrameTexts = typeof frame;
export type PeopleTexts = typeof people;
export type RelayTexts = typeof relay;
