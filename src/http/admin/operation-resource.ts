/**
 * `/admin/operations/<name>`: any operation by its own name, input and result as they are declared. What our panel uses;
 * the other resources keep the names that panels of madmail know.
 */
import { OperationError } from "../../operations/operation.ts";
import { isOperationName, permissionOf } from "../../operations/operations.ts";
import type { AdminResource } from "./resource.ts";

export const operationResource: AdminResource = {
  methods: {
    async POST({ callUnknown, scope, argument: name, body }) {
      if (!isOperationName(name)) throw new OperationError("notFound", `there is no operation ${name}`);
      if (scope !== "full" && permissionOf(name) !== "read") {
        throw new OperationError("refused", "this session may look, and change nothing");
      }
      return { status: 200, body: await callUnknown(name, body ?? {}, "admin") };
    },
  },
};
