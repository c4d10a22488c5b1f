/**
 * Debian's Chromium, driven over the compiled relay: every page opened here is watched for errors on its console, for
 * requests that leave the relay, and for what went over the wire; screenshots are kept for looking at afterwards.
 * `isBrowserMissing` tells suites to skip where there is none.
 */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import axe from "axe-core";
import {
  type Browser,
  type BrowserContext,
  type CDPSession,
  chromium,
  type Page as PlaywrightPage,
} from "playwright-core";

const EXECUTABLE = process.env["MADMAIL_CHROMIUM"] ?? "/usr/bin/chromium";
const LAUNCH_TIMEOUT_MS = 30_000;
const root = resolve(import.meta.dir, "../..");

export const viewports = {
  phone: { width: 390, height: 844 },
  desktop: { width: 1280, height: 800 },
} as const;
export type Viewport = keyof typeof viewports;
export type Scheme = "light" | "dark";

export function isBrowserMissing(): boolean {
  return Bun.which(EXECUTABLE) === null;
}

/** Where screenshots go: MADMAIL_ARTIFACTS, or `test-artifacts/`. */
function artifactsDir(): string {
  return resolve(root, process.env["MADMAIL_ARTIFACTS"] ?? "test-artifacts", "screenshots");
}

export interface VisitOptions {
  viewport?: Viewport;
  scheme?: Scheme;
  javaScript?: boolean;
  /** BCP 47, for `Accept-Language`. */
  locale?: string;
  /** A finger instead of a mouse; default: on a phone. */
  touch?: boolean;
}

/** One visitor: cookies, cache and settings of his own. */
export interface Visitor {
  readonly page: PlaywrightPage;
  /** Errors and warnings of the console, uncaught exceptions, and answers of 400 and above for parts of a page. */
  readonly complaints: string[];
  /** Requests to anything but the relay. */
  readonly strangers: string[];
  /** Links into apps that the page followed, such as `dclogin:`. */
  readonly appLinks: string[];
  /** Bytes received over the network since the last call, headers included. */
  received(): Promise<number>;
  close(): Promise<void>;
}

export class TestBrowser {
  readonly #browser: Browser;
  readonly #origins: readonly string[];

  private constructor(browser: Browser, origins: readonly string[]) {
    this.#browser = browser;
    this.#origins = origins;
  }

  /** @param origins where pages may load from, such as `https://127.0.0.1:8443` */
  static async start(origins: readonly string[]): Promise<TestBrowser> {
    const browser = await chromium.launch({
      executablePath: EXECUTABLE,
      timeout: LAUNCH_TIMEOUT_MS,
      args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb"],
    });
    return new TestBrowser(browser, origins);
  }

  async visit(options: VisitOptions = {}): Promise<Visitor> {
    const { viewport = "desktop", scheme = "light", javaScript = true, locale = "en-GB" } = options;
    const context = await this.#browser.newContext({
      viewport: viewports[viewport],
      colorScheme: scheme,
      javaScriptEnabled: javaScript,
      locale,
      hasTouch: options.touch ?? viewport === "phone",
      isMobile: viewport === "phone",
      reducedMotion: "reduce",
      ignoreHTTPSErrors: true,
    });
    return await watched(context, this.#origins);
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }
}

async function watched(context: BrowserContext, origins: readonly string[]): Promise<Visitor> {
  const page = await context.newPage();
  const complaints: string[] = [];
  const strangers: string[] = [];
  const appLinks: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => void complaints.push(String(error)));
  page.on("response", (response) => {
    const isPart = response.request().resourceType() !== "document";
    if (isPart && response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`);
  });
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (["data:", "blob:", "about:"].includes(protocol)) return;
    if (["http:", "https:", "ws:", "wss:"].includes(protocol)) {
      if (!origins.includes(origin)) strangers.push(request.url());
    } else appLinks.push(request.url());
  });
  const session = await context.newCDPSession(page);
  const received = await countBytes(session, appLinks);
  return { page, complaints, strangers, appLinks, received, close: () => context.close() };
}

async function countBytes(session: CDPSession, appLinks: string[]): Promise<() => Promise<number>> {
  let bytes = 0;
  await session.send("Network.enable");
  await session.send("Page.enable");
  session.on("Network.loadingFinished", (event) => {
    bytes += event.encodedDataLength;
  });
  // Playwright tells nothing of navigations that another program takes over.
  session.on("Page.frameRequestedNavigation", ({ url }) => {
    if (!/^(https?|about|data|blob|javascript):/.test(url)) appLinks.push(url);
  });
  return async () => {
    // A round trip, so that what was finished has been told.
    await session.send("Page.getFrameTree");
    const sum = bytes;
    bytes = 0;
    return sum;
  };
}

interface AxeResults {
  violations: {
    id: string;
    impact: string | null;
    help: string;
    nodes: { html: string; failureSummary: string }[];
  }[];
}

/**
 * What axe finds serious or critical on the page, one line each. Needs JavaScript; the page's policy does not hinder it.
 * @param rules only these; after a change of colours alone, `["color-contrast"]` is enough and quicker
 */
export async function axeFindings(page: PlaywrightPage, rules?: readonly string[]): Promise<string[]> {
  if (!(await page.evaluate<boolean>("'axe' in window"))) await page.evaluate(axe.source);
  const options = { resultTypes: ["violations"], ...(rules === undefined ? {} : { runOnly: rules }) };
  const results = await page.evaluate<AxeResults>(`axe.run(document, ${JSON.stringify(options)})`);
  return results.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, help, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${help}: ${html} ${failureSummary}`),
    );
}

/** Elements that make the page wider than the window, which on a phone means scrolling sideways. */
export async function widerThanWindow(page: PlaywrightPage): Promise<number> {
  return await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
}

/** Keeps a picture of the whole page. @param name without suffix */
export async function picture(page: PlaywrightPage, name: string): Promise<void> {
  mkdirSync(artifactsDir(), { recursive: true });
  await page.screenshot({ path: join(artifactsDir(), `${name}.png`), fullPage: true });
}
