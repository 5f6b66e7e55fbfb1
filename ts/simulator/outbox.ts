/** The numbered messages of one session: sequence numbers, and the buffer that a resume replays. */

/** Messages kept for a resume: a hundred joins with end-to-end encryption are about so many. */
export const BUFFERED_MESSAGES = 256;

interface Sent {
  /** Counts on without wrapping. */
  number: number;
  frame: string | Buffer;
  sentMs: number;
}

/** Numbers messages from `first` on, modulo 65,536 on the wire. */
export class Outbox {
  readonly #first: number;
  #next: number;
  readonly #buffer: Sent[] = [];

  constructor(first: number) {
    this.#first = first;
    this.#next = first;
  }

  /** The message's text, with its number and kept for a resume. */
  push(op: number, d: unknown, nowMs: number): string {
    const number = this.#next++;
    const text = JSON.stringify({ op, d, seq: number & 0xffff });
    this.#keep({ number, frame: text, sentMs: nowMs });
    return text;
  }

  /** The binary message, with its number and kept for a resume. */
  pushBinary(op: number, payload: Uint8Array, nowMs: number): Buffer {
    const number = this.#next++;
    const head = Buffer.of((number >> 8) & 0xff, number & 0xff, op);
    const frame = Buffer.concat([head, payload]);
    this.#keep({ number, frame, sentMs: nowMs });
    return frame;
  }

  /** The last number sent, without wrapping; one less than the first when none was. */
  get last(): number {
    return this.#next - 1;
  }

  /** The last number sent at or before a moment. */
  lastBefore(ms: number): number {
    for (let at = this.#buffer.length - 1; at >= 0; at--) {
      const sent = this.#buffer[at];
      if (sent && sent.sentMs <= ms) return sent.number;
    }
    return (this.#buffer[0]?.number ?? this.#next) - 1;
  }

  /** The full number that a client's `seq_ack` (−1: none) means; undefined when nothing like it was sent. */
  numberOf(seqAck: number): number | undefined {
    if (seqAck === -1) return this.#first - 1;
    if (!Number.isInteger(seqAck) || seqAck < 0 || seqAck > 0xffff) return undefined;
    const number = this.last - ((this.last - seqAck) & 0xffff);
    return number < this.#first ? undefined : number;
  }

  /** What followed `seqAck`; undefined when some of it is no longer kept, or the number was never sent. */
  since(seqAck: number): (string | Buffer)[] | undefined {
    const number = this.numberOf(seqAck);
    if (number === undefined) return undefined;
    const oldest = this.#buffer[0]?.number ?? this.#next;
    if (number + 1 < oldest) return undefined;
    return this.#buffer.filter((sent) => sent.number > number).map((sent) => sent.frame);
  }

  #keep(sent: Sent): void {
    this.#buffer.push(sent);
    if (this.#buffer.length > BUFFERED_MESSAGES) this.#buffer.shift();
  }
}
