/** Colours for people at a terminal, and none for anybody else. */

const CODES = { good: "32", warn: "33", bad: "31", dim: "2" };

/** What a text says about what it stands for. */
export type Tone = keyof typeof CODES;

/** Paints for a stream: plain text unless it is a terminal, and with `NO_COLOR` set. */
export function painter(
  output: { isTTY?: boolean },
  environment: NodeJS.ProcessEnv = process.env,
): (tone: Tone, text: string) => string {
  const plain = output.isTTY !== true || (environment.NO_COLOR ?? "") !== "";
  return (tone, text) => (plain ? text : `\u001b[${CODES[tone]}m${text}\u001b[0m`);
}
