/** The OpenAPI 3.1 document, made from the endpoints' own schemas. */
import { z } from "zod";
import { version } from "../../core/version.ts";
import type { RestRoute } from "./route.ts";

const refusalTexts = {
  400: "The request makes no sense",
  401: "Wrong name or password",
  404: "No such user, mailbox account or domain",
  409: "It exists already",
  429: "Too many requests",
} as const;

const problemSchema = {
  type: "object",
  properties: { status: { type: "integer" }, title: { type: "string" }, message: { type: "string" } },
  required: ["message"],
} as const;

export function openApiDocument(routes: readonly RestRoute[]): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] ??= {};
    paths[path][route.method] = operationObject(route);
  }
  return {
    openapi: "3.1.0",
    info: { title: "madmail REST API", version },
    servers: [{ url: "/" }],
    components: {
      securitySchemes: { basic: { type: "http", scheme: "basic" } },
      schemas: { Problem: problemSchema },
    },
    security: [{ basic: [] }],
    paths,
  };
}

function operationObject({ method, path, summary, body, query, response, success, refusals }: RestRoute) {
  const variables = [...path.matchAll(/:(\w+)/g)].map((match) => ({
    name: match[1],
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  const queries = query instanceof z.ZodObject ? Object.entries<z.ZodType>(query.shape) : [];
  const isOpen = !path.startsWith("/v1");
  return {
    summary,
    operationId: `${method}${path.replace(/[/:.]+(\w?)/g, (_, letter: string) => letter.toUpperCase())}`,
    ...(isOpen ? { security: [] } : {}),
    parameters: [
      ...variables,
      ...queries.map(([name, schema]) => ({
        name,
        in: "query",
        required: false,
        schema: jsonSchema(schema),
      })),
    ],
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: jsonSchema(body) } } } }),
    responses: {
      [success]: {
        description: "Done",
        ...(response === undefined
          ? {}
          : { content: { "application/json": { schema: jsonSchema(response) } } }),
      },
      ...Object.fromEntries(
        [...refusals, ...(isOpen ? [] : [401 as const]), 429 as const].map(refusalObject),
      ),
    },
  };
}

function refusalObject(status: keyof typeof refusalTexts) {
  const content =
    status === 429
      ? { "text/plain": { schema: { type: "string" } } }
      : { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };
  return [status, { description: refusalTexts[status], content }] as const;
}

function jsonSchema(schema: z.ZodType): unknown {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input" });
  return rest;
}
