/** The sections of the panel: their path, their name, and the page, which is loaded when it is opened. */
import type { ComponentType } from "preact";
import type { Texts } from "./texts/en.ts";

export interface Section {
  path: string;
  title: (texts: Texts) => string;
  /** A path of 24 units, drawn as a line. */
  icon: string;
  load: () => Promise<ComponentType>;
}

export const sections: readonly Section[] = [
  {
    path: "/",
    title: ({ nav }) => nav.overview,
    icon: "M3 13h6V4H3zM13 20h8V4h-8zM3 20h6v-4H3z",
    load: async () => (await import("./pages/overview.tsx")).Overview,
  },
  {
    path: "/queue",
    title: ({ nav }) => nav.queue,
    icon: "M4 6h16M4 12h16M4 18h10",
    load: async () => (await import("./pages/queue.tsx")).Queue,
  },
  {
    path: "/audit",
    title: ({ nav }) => nav.audit,
    icon: "M12 8v5l3 2M21 12a9 9 0 1 1-18 0a9 9 0 0 1 18 0",
    load: async () => (await import("./pages/audit.tsx")).Audit,
  },
];
