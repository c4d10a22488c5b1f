/** The admin API and the panel on the site's ports, where configuration and settings put them. */
import { adminToken } from "../auth/admin-token.ts";
import { AdminApi } from "../http/admin/api.ts";
import { AdminSessions } from "../http/admin/sessions.ts";
import type { SiteFacts } from "../http/facts.ts";
import { panelLink } from "../http/links.ts";
import { Panel } from "../http/panel.ts";
import type { Operations } from "../operations/operations.ts";
import type { Ground } from "./ground.ts";

export class Admin {
  readonly #config: Ground["config"];
  readonly #sessions: AdminSessions;
  readonly #panel: Panel;
  readonly #ground: Ground;
  #api: AdminApi | undefined;

  constructor(ground: Ground) {
    const { config, clock } = ground;
    this.#ground = ground;
    this.#config = config;
    this.#sessions = new AdminSessions({ operatorToken: () => adminToken(config()), clock });
    this.#panel = new Panel({
      path: () => (config().admin.web && this.isOn ? config().admin.web_path : undefined),
      apiPath: () => config().admin.path,
      language: () => config().site.language,
    });
  }

  get isOn(): boolean {
    return this.#config().admin.token !== "disabled";
  }

  /** Begins to answer. Before it nothing is the API's. */
  open(operations: Operations, peerAddress: (request: Request) => string): void {
    const { clock, log, config } = this.#ground;
    // Made now, so that the operator finds it before anybody has asked.
    adminToken(config());
    const origins = () => config().admin.origins;
    this.#api = new AdminApi({ operations, sessions: this.#sessions, peerAddress, origins, clock, log });
  }

  /** @returns undefined for requests that are neither the API's nor the panel's */
  answer(request: Request): Promise<Response> | Response | undefined {
    if (!this.isOn || this.#api === undefined) return undefined;
    const { pathname } = new URL(request.url);
    const { path } = this.#config().admin;
    if (pathname === path || pathname === `${path}/`) return this.#api.answer(request);
    return this.#panel.answer(request);
  }

  /** Opens the panel once, within a quarter of an hour. @returns undefined while the panel is off */
  loginLink({ host, ports }: Pick<SiteFacts, "host" | "ports">): string | undefined {
    const { web, web_path: path } = this.#config().admin;
    if (!web || !this.isOn || ports.https === undefined) return undefined;
    return panelLink({ host, port: ports.https, path, code: this.#sessions.newCode() });
  }
}
