/** The bill of materials of a release: CycloneDX 1.6, from the lock file. The same lock file gives the same bytes. */
import { createHash } from "node:crypto";

interface LockedPackage {
  version?: string;
  resolved?: string;
  integrity?: string;
  license?: string;
  dev?: boolean;
  devOptional?: boolean;
  optional?: boolean;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

export interface LockFile {
  name: string;
  version: string;
  packages: Record<string, LockedPackage>;
}

const PREFIX = "node_modules/";

/** What is inside the executable: the program's dependencies, and Bun, which it runs on. */
export function billOfMaterials(lock: LockFile, bunVersion: string): string {
  const paths = Object.keys(lock.packages)
    .filter((path) => path.startsWith(PREFIX) && lock.packages[path]?.dev !== true)
    .filter((path) => lock.packages[path]?.devOptional !== true)
    .sort();
  const program = lock.packages[""];
  const bun = `pkg:generic/bun@${bunVersion}`;
  const self = `pkg:generic/${lock.name}@${lock.version}`;
  const components = paths.map((path) => component(path, lock.packages[path] ?? {}));
  const document = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(lock))}`,
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": self,
        name: lock.name,
        version: lock.version,
        licenses: [{ license: { id: "AGPL-3.0-or-later" } }],
      },
    },
    components: [
      { type: "platform", "bom-ref": bun, name: "bun", version: bunVersion, purl: bun },
      ...components,
    ],
    dependencies: [
      { ref: self, dependsOn: [bun, ...references(lock, "", program ?? {})] },
      ...paths.map((path) => ({
        ref: purl(path, lock.packages[path] ?? {}),
        dependsOn: references(lock, path, lock.packages[path] ?? {}),
      })),
    ],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function component(path: string, { version = "", integrity, license }: LockedPackage): object {
  const name = nameOf(path);
  const [, algorithm, hash] = /^(sha512|sha1)-(.+)$/.exec(integrity ?? "") ?? [];
  const hashes =
    hash === undefined
      ? {}
      : {
          hashes: [
            {
              alg: algorithm === "sha512" ? "SHA-512" : "SHA-1",
              content: Buffer.from(hash, "base64").toString("hex"),
            },
          ],
        };
  const [scope, bare] = name.startsWith("@") ? name.split("/") : [undefined, name];
  return {
    type: "library",
    "bom-ref": purl(path, { version }),
    ...(scope === undefined ? {} : { group: scope }),
    name: bare,
    version,
    purl: purl(path, { version }),
    ...hashes,
    ...(license === undefined ? {} : { licenses: [{ expression: license }] }),
  };
}

/** What a package asks for, found as Node finds it: nearest directory first. */
function references(lock: LockFile, path: string, asking: LockedPackage): string[] {
  const names = Object.keys({ ...asking.dependencies, ...asking.optionalDependencies }).sort();
  return names.flatMap((name) => {
    for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf(`/${PREFIX}`)))) {
      const candidate = `${at === "" ? "" : `${at}/`}${PREFIX}${name}`;
      const found = lock.packages[candidate];
      if (found !== undefined) return [purl(candidate, found)];
      if (at === "") return [];
    }
  });
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf(PREFIX) + PREFIX.length);
}

function purl(path: string, { version = "" }: LockedPackage): string {
  return `pkg:npm/${nameOf(path).replace("@", "%40")}@${version}`;
}

/** RFC 9562 §5.8: made of a hash, so that the same lock file has the same number. */
function uuidOf(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
