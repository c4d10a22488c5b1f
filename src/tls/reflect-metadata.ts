/**
 * The part of the Reflect Metadata proposal that the injector inside @peculiar/x509 calls while it loads. Call
 * `provideReflectMetadata` before importing that library; a full polyfill in place is left alone. One that comes
 * later (acme-client brings one) takes this one for its elder and asks it for what it holds, so the questions it
 * asks are answered too.
 */

type Metadata = Map<unknown, unknown>;
type PropertyName = string | symbol | undefined;

interface MetadataFunctions {
  defineMetadata?: (key: unknown, value: unknown, target: object, property?: PropertyName) => void;
  hasOwnMetadata?: (key: unknown, target: object, property?: PropertyName) => boolean;
  getOwnMetadata?: (key: unknown, target: object, property?: PropertyName) => unknown;
  getMetadata?: (key: unknown, target: object, property?: PropertyName) => unknown;
  getOwnMetadataKeys?: (target: object, property?: PropertyName) => unknown[];
  deleteMetadata?: (key: unknown, target: object, property?: PropertyName) => boolean;
}

export function provideReflectMetadata(): void {
  const reflect: typeof Reflect & MetadataFunctions = Reflect;
  if (reflect.getMetadata !== undefined) return;
  const known = new WeakMap<object, Map<PropertyName, Metadata>>();
  const entriesOf = (target: object, property: PropertyName) => known.get(target)?.get(property);
  reflect.defineMetadata = (key, value, target, property) => {
    const properties = known.get(target) ?? new Map<PropertyName, Metadata>();
    const entries = properties.get(property) ?? new Map<unknown, unknown>();
    known.set(target, properties.set(property, entries.set(key, value)));
  };
  reflect.hasOwnMetadata = (key, target, property) => entriesOf(target, property)?.has(key) === true;
  reflect.getOwnMetadata = (key, target, property) => entriesOf(target, property)?.get(key);
  reflect.getOwnMetadataKeys = (target, property) => [...(entriesOf(target, property)?.keys() ?? [])];
  reflect.deleteMetadata = (key, target, property) => entriesOf(target, property)?.delete(key) === true;
  reflect.getMetadata = (key, target, property) => {
    for (let owner: object | null = target; owner !== null; owner = Reflect.getPrototypeOf(owner)) {
      const value = entriesOf(owner, property)?.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  };
}
