/**
 * `/admin/operations/<name>`: any operation by its own name, input and result as they are declared. What our panel uses;
 * the other resources keep the names that panels of madmail know.
 */
import type { AdminResource } from "./resource.ts";

export const operationResource: AdminResource = {
  methods: {
    async POST({ callUnknown, argument: name, body }) {
      return { status: 200, body: await callUnknown(name, body ?? {}) };
    },
  },
};
