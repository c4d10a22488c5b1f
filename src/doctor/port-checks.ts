/** Whether each port answers as its protocol begins. */
import type { Check } from "./check.ts";
import { fail, type Finding, found, messageOf, type Trouble } from "./finding.ts";
import { LineTalk } from "./line-talk.ts";
import type { Machine, World } from "./world.ts";

interface Greeting {
  tls: boolean;
  /** What the client says first, where it does. */
  hello?: string;
  /** How the first line of the server begins. */
  begins: string;
}

const http = { hello: "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", begins: "HTTP/1.1 " };
const greetings: Record<string, Greeting> = {
  smtp: { tls: false, begins: "220" },
  submission: { tls: false, begins: "220" },
  submissions: { tls: true, begins: "220" },
  imap: { tls: false, begins: "* OK" },
  imaps: { tls: true, begins: "* OK" },
  http: { tls: false, ...http },
  https: { tls: true, ...http },
};

export const portChecks: readonly Check[] = [{ name: "ports", title: "Ports", run: checkPorts }];

function checkPorts(world: World, stop: AbortSignal): Finding | Promise<Finding> {
  const { running, config } = world;
  if (running === undefined) return checkFree(world);
  return checkAnswers(world, running.addresses(), Object.keys(config.listen), stop);
}

/** Before a start: whoever listens now will be in the way. */
function checkFree({ takenPorts, closed, machine }: World): Finding {
  const taken = takenPorts();
  // Without a look into the state directory nobody knows whether that is the relay itself.
  if (closed !== undefined && isThere(machine)) return { skipped: "whether the relay runs is not known" };
  return found(
    "the relay does not run, and its ports are free",
    ...taken.map((line) => fail(line, "stop that program, or let the relay listen elsewhere ([listen])")),
  );
}

function isThere(machine: Machine): boolean {
  try {
    machine.directory();
    return true;
  } catch {
    return false;
  }
}

async function checkAnswers(
  world: World,
  addresses: Record<string, readonly string[]>,
  services: readonly string[],
  stop: AbortSignal,
): Promise<Finding> {
  const wanted = services.flatMap((service) => (addresses[service] ?? []).map((at) => ({ service, at })));
  const troubles = await Promise.all(wanted.map(({ service, at }) => greet(world, service, at, stop)));
  const names = services.filter((service) => (addresses[service] ?? []).length > 0);
  if (names.length === 0) return found("", fail("nothing listens at all", "name addresses in [listen]"));
  return found(`${names.join(", ")} answer`, ...troubles);
}

async function greet(
  { clock }: World,
  service: string,
  at: string,
  stop: AbortSignal,
): Promise<Trouble | undefined> {
  const greeting = greetings[service];
  if (greeting === undefined) return undefined;
  const mend = "restart the relay; if it stays so, look at a local firewall and at `madmail status`";
  let talk: LineTalk | undefined;
  try {
    talk = await LineTalk.open({ at, tls: greeting.tls, clock, stop });
    if (greeting.hello !== undefined) talk.write(greeting.hello);
    const line = await talk.line();
    if (line.startsWith(greeting.begins)) return undefined;
    return fail(
      `${service} on ${at} answers ${JSON.stringify(line.slice(0, 60))} instead of ${greeting.begins}`,
      mend,
    );
  } catch (error) {
    return fail(`${service} on ${at} does not answer: ${messageOf(error)}`, mend);
  } finally {
    talk?.close();
  }
}
