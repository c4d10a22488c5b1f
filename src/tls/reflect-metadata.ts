/**
 * The three functions of the Reflect Metadata proposal that the injector inside @peculiar/x509 calls while it
 * loads. Call `provideReflectMetadata` before importing that library; a full polyfill in place is left alone.
 */

type MetadataReflect = typeof Reflect & {
  defineMetadata?: (key: unknown, value: unknown, target: object) => void;
  getOwnMetadata?: (key: unknown, target: object) => unknown;
  getMetadata?: (key: unknown, target: object) => unknown;
};

export function provideReflectMetadata(): void {
  const reflect: MetadataReflect = Reflect;
  if (reflect.getMetadata !== undefined) return;
  const known = new WeakMap<object, Map<unknown, unknown>>();
  reflect.defineMetadata = (key, value, target) => {
    const entries = known.get(target) ?? new Map<unknown, unknown>();
    known.set(target, entries.set(key, value));
  };
  reflect.getOwnMetadata = (key, target) => known.get(target)?.get(key);
  reflect.getMetadata = (key, target) => {
    for (let owner: object | null = target; owner !== null; owner = Reflect.getPrototypeOf(owner)) {
      const value = known.get(owner)?.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  };
}
