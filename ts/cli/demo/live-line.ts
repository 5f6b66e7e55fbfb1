/** The demo's live line: redrawn in place on a terminal, printed once a second elsewhere. */

const REDRAW_MS = 200;
const PLAIN_MS = 1000;

/** Shows `render()` until stopped. */
export class LiveLine {
  readonly #output: NodeJS.WriteStream;
  readonly #render: () => string;
  readonly #timer: NodeJS.Timeout;

  constructor(output: NodeJS.WriteStream, render: () => string) {
    this.#output = output;
    this.#render = render;
    this.#timer = setInterval(() => this.#draw(), output.isTTY ? REDRAW_MS : PLAIN_MS);
  }

  /** Draws once more and ends the line. */
  stop(): void {
    clearInterval(this.#timer);
    this.#draw();
    if (this.#output.isTTY) this.#output.write("\n");
  }

  #draw(): void {
    const text = this.#render();
    this.#output.write(this.#output.isTTY ? `\r\u001b[2K${text}` : `${text}\n`);
  }
}

/** `m:ss.t` of a number of milliseconds. */
export function clockTime(ms: number): string {
  const tenths = Math.floor(ms / 100);
  const seconds = Math.floor(tenths / 10);
  const rest = String(seconds % 60).padStart(2, "0");
  return `${Math.floor(seconds / 60)}:${rest}.${tenths % 10}`;
}
