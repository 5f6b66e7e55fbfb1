/** The OpenAPI description of the node's HTTP side; the op protocol itself has a JSON Schema of its own. */

import { Type } from "typebox";

const refusal = Type.Object({
  code: Type.String({ description: "Stable, for programs." }),
  message: Type.String({ description: "For people; may change." }),
});

/** The description. */
export function openApi(version: string): object {
  return {
    openapi: "3.1.0",
    info: {
      title: "cadenza player node",
      version,
      description:
        "What the node answers besides the op protocol, which is spoken over a WebSocket at /v1/ws.",
    },
    paths: {
      "/healthz": {
        get: operation("health", "Whether the process lives and answers.", {
          200: content("It does.", Type.Object({ status: Type.Literal("ok") })),
        }),
      },
      "/readyz": {
        get: operation("readiness", "Whether the node takes new players.", {
          200: content("It does.", Type.Object({ status: Type.Literal("ready") })),
          503: content(
            "It does not.",
            Type.Object({
              status: Type.Literal("unready"),
              reason: Type.String({ description: "draining, node_full or node_overloaded." }),
            }),
          ),
        }),
      },
      "/metrics": {
        get: operation("metrics", "Counters and measurements for Prometheus.", {
          200: {
            description: "The text format of Prometheus.",
            content: { "text/plain": { schema: Type.String() } },
          },
        }),
      },
      "/openapi.json": {
        get: operation("description", "This description.", {
          200: content("It.", Type.Object({ openapi: Type.Literal("3.1.0") })),
        }),
      },
      "/v1/ws": { get: opProtocol },
    },
  };
}

const opProtocol = {
  ...operation("opProtocol", "The op protocol: a WebSocket upgrade.", {
    101: { description: "The socket is open." },
    400: content("A header is missing or wrong.", refusal),
    401: content("The password is wrong.", refusal),
    503: content("The node is on its way out.", refusal),
  }),
  parameters: [
    header("Authorization", true, "The node's password."),
    header("User-Id", true, "The bot's user id."),
    header("Client-Name", false, "What the client calls itself."),
    header("Session-Id", false, "The session to resume."),
    header("Last-Event", false, "The number of the last event that arrived there."),
  ],
};

function operation(operationId: string, summary: string, responses: object): object {
  return { operationId, summary, responses };
}

function content(description: string, schema: object): object {
  return { description, content: { "application/json": { schema } } };
}

function header(name: string, required: boolean, description: string): object {
  return { name, in: "header", required, description, schema: { type: "string" } };
}
