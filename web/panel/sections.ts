/** The sections of the panel and their pages: path, name, and what is loaded when one is opened. */
import type { ComponentType } from "preact";
import type { Texts } from "./texts/en.ts";

export interface Page {
  path: string;
  title: (texts: Texts) => string;
  load: () => Promise<ComponentType>;
  /** Reached from another page, not by a tab. */
  isInner?: true;
}

export interface Section {
  title: (texts: Texts) => string;
  /** A path of 24 units, drawn as a line. */
  icon: string;
  /** Sections of one group stand together. */
  group: "mail" | "relay" | "people";
  /** The first is where the section opens. */
  pages: readonly [Page, ...Page[]];
}

export const sections: readonly Section[] = [
  {
    title: ({ nav }) => nav.overview,
    icon: "M3 13h7V4H3zM14 20h7v-9h-7zM3 20h7v-3H3zM14 7h7V4h-7z",
    group: "mail",
    pages: [
      {
        path: "/",
        title: ({ nav }) => nav.overview,
        load: async () => (await import("./pages/overview.tsx")).Overview,
      },
    ],
  },
  {
    title: ({ nav }) => nav.accounts,
    icon: "M16 20v-1a4 4 0 0 0-4-4H7a4 4 0 0 0-4 4v1M13 8a3.5 3.5 0 1 1-7 0a3.5 3.5 0 0 1 7 0M21 20v-1a4 4 0 0 0-3-3.8M16 4.6a3.5 3.5 0 0 1 0 6.8",
    group: "mail",
    pages: [
      {
        path: "/accounts",
        title: ({ nav }) => nav.accounts,
        load: async () => (await import("./pages/accounts.tsx")).Accounts,
      },
      {
        path: "/accounts/blocked",
        title: ({ nav }) => nav.blocklist,
        load: async () => (await import("./pages/blocklist.tsx")).Blocklist,
      },
      {
        path: "/accounts/one",
        title: ({ nav }) => nav.account,
        load: async () => (await import("./pages/account.tsx")).Account,
        isInner: true,
      },
    ],
  },
  {
    title: ({ nav }) => nav.invites,
    icon: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2v2h-2zM18 18h2v2h-2zM18 14h2M14 18v2",
    group: "mail",
    pages: [
      {
        path: "/invites",
        title: ({ nav }) => nav.invites,
        load: async () => (await import("./pages/invites.tsx")).Invites,
      },
    ],
  },
  {
    title: ({ nav }) => nav.federation,
    icon: "M12 21a9 9 0 1 0 0-18a9 9 0 0 0 0 18M3 12h18M12 3c3 3 3 15 0 18c-3-3-3-15 0-18",
    group: "mail",
    pages: [
      {
        path: "/federation",
        title: ({ nav }) => nav.servers,
        load: async () => (await import("./pages/servers.tsx")).Servers,
      },
      {
        path: "/federation/policy",
        title: ({ nav }) => nav.policy,
        load: async () => (await import("./pages/policy.tsx")).Policy,
      },
      {
        path: "/federation/routing",
        title: ({ nav }) => nav.routing,
        load: async () => (await import("./pages/routing.tsx")).Routing,
      },
    ],
  },
  {
    title: ({ nav }) => nav.queue,
    icon: "M4 6h16M4 12h16M4 18h10",
    group: "mail",
    pages: [
      {
        path: "/queue",
        title: ({ nav }) => nav.queue,
        load: async () => (await import("./pages/queue.tsx")).Queue,
      },
    ],
  },
  {
    title: ({ nav }) => nav.checklist,
    icon: "M4 6l1.5 1.5L8 5M4 12l1.5 1.5L8 11M4 18l1.5 1.5L8 17M12 6h8M12 12h8M12 18h8",
    group: "relay",
    pages: [
      {
        path: "/setup",
        title: ({ nav }) => nav.steps,
        load: async () => (await import("./pages/setup.tsx")).Setup,
      },
      {
        path: "/setup/dns",
        title: ({ nav }) => nav.dns,
        load: async () => (await import("./pages/dns.tsx")).Dns,
      },
      {
        path: "/setup/certificate",
        title: ({ nav }) => nav.certificate,
        load: async () => (await import("./pages/certificate.tsx")).Certificate,
      },
    ],
  },
  {
    title: ({ nav }) => nav.services,
    icon: "M4 5h16v5H4zM4 14h16v5H4zM8 7.5h.01M8 16.5h.01",
    group: "relay",
    pages: [
      {
        path: "/services",
        title: ({ nav }) => nav.services,
        load: async () => (await import("./pages/services.tsx")).Services,
      },
      {
        path: "/services/ports",
        title: ({ nav }) => nav.ports,
        load: async () => (await import("./pages/ports.tsx")).Ports,
      },
    ],
  },
  {
    title: ({ nav }) => nav.settings,
    icon: "M4 7h10M18 7h2M4 17h2M10 17h10M14 5v4M10 15v4",
    group: "relay",
    pages: [
      {
        path: "/settings",
        title: ({ nav }) => nav.settings,
        load: async () => (await import("./pages/settings.tsx")).Settings,
      },
      {
        path: "/settings/pending",
        title: ({ nav }) => nav.pending,
        load: async () => (await import("./pages/pending.tsx")).Pending,
      },
    ],
  },
  {
    title: ({ nav }) => nav.care,
    icon: "M4 7c0-2 16-2 16 0v10c0 2-16 2-16 0zM4 7c0 2 16 2 16 0M4 12c0 2 16 2 16 0",
    group: "relay",
    pages: [
      {
        path: "/care",
        title: ({ nav }) => nav.storage,
        load: async () => (await import("./pages/storage.tsx")).Storage,
      },
      {
        path: "/care/tasks",
        title: ({ nav }) => nav.tasks,
        load: async () => (await import("./pages/tasks.tsx")).Tasks,
      },
    ],
  },
  {
    title: ({ nav }) => nav.notices,
    icon: "M4 5h16v11H9l-5 4z",
    group: "people",
    pages: [
      {
        path: "/notices",
        title: ({ nav }) => nav.notices,
        load: async () => (await import("./pages/notices.tsx")).Notices,
      },
    ],
  },
  {
    title: ({ nav }) => nav.contacts,
    icon: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
    group: "people",
    pages: [
      {
        path: "/contacts",
        title: ({ nav }) => nav.contacts,
        load: async () => (await import("./pages/contacts.tsx")).Contacts,
      },
    ],
  },
  {
    title: ({ nav }) => nav.audit,
    icon: "M12 8v5l3 2M21 12a9 9 0 1 1-18 0a9 9 0 0 1 18 0",
    group: "people",
    pages: [
      {
        path: "/audit",
        title: ({ nav }) => nav.audit,
        load: async () => (await import("./pages/audit.tsx")).Audit,
      },
    ],
  },
];

export function sectionAt(path: string): { section: Section; page: Page } | undefined {
  for (const section of sections) {
    const page = section.pages.find((each) => each.path === path);
    if (page !== undefined) return { section, page };
  }
  return undefined;
}
