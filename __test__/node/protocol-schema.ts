/** The published JSON Schema as another library reads it, with unknown members forbidden. */

import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";

const FILE = new URL("../../docs/reference/op-protocol.schema.json", import.meta.url);

/** The schema as it lies in the documentation. */
export const publishedSchema: unknown = JSON.parse(readFileSync(FILE, "utf8"));

const validate = new Ajv2020({ allErrors: false, strict: true }).compile(
  closed(publishedSchema) as object,
);

/** What is wrong with a message; empty when nothing is. */
export function protocolProblems(message: unknown): string[] {
  if (validate(message)) return [];
  const deepest = [...(validate.errors ?? [])].sort(
    (a, b) => b.instancePath.length - a.instancePath.length,
  );
  const [error] = deepest;
  return [
    `${JSON.stringify(message).slice(0, 200)}: ${error?.instancePath} ${error?.message} ${JSON.stringify(error?.params)}`,
  ];
}

/** Clients ignore members that they do not know; the node must not send any that nobody knows. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const copy = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, closed(value)]),
  );
  return "properties" in schema ? { ...copy, additionalProperties: false } : copy;
}
