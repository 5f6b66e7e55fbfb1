/** Bytes as TLS presentation language and RFC 9420 write them: big-endian numbers and length-prefixed vectors. */

/** Bytes that do not hold what they should. */
export class MalformedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "MalformedError";
  }
}

/** One byte. */
export function u8(value: number): Buffer {
  return Buffer.of(value);
}

/** Two bytes, big-endian. */
export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value, 0);
  return bytes;
}

/** Four bytes, big-endian. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0, 0);
  return bytes;
}

/** Eight bytes, big-endian. */
export function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value, 0);
  return bytes;
}

/** A vector with its variable-size length in front (RFC 9420, section 2.1.2). */
export function vec(content: Uint8Array): Buffer {
  const { length } = content;
  const prefix =
    length < 0x40 ? u8(length) : length < 0x4000 ? u16(0x4000 | length) : u32(0x8000_0000 + length);
  return Buffer.concat([prefix, content]);
}

/** Reads numbers and vectors in order; every step is checked against the end. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** How far it has read. */
  get at(): number {
    return this.#at;
  }

  /** Whether everything was read. */
  get isDone(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** So many bytes. */
  take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) {
      throw new MalformedError(`${length} bytes are missing at offset ${this.#at}`);
    }
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  u8(): number {
    return this.take(1).readUInt8(0);
  }

  u16(): number {
    return this.take(2).readUInt16BE(0);
  }

  u32(): number {
    return this.take(4).readUInt32BE(0);
  }

  u64(): bigint {
    return this.take(8).readBigUInt64BE(0);
  }

  /** The content of a vector; its length has to be written in the shortest form. */
  vec(): Buffer {
    const first = this.u8();
    const form = first >> 6;
    if (form === 3) throw new MalformedError("a vector's length has the reserved form");
    let length = first & 0x3f;
    for (let more = (1 << form) - 1; more > 0; more--) length = length * 256 + this.u8();
    const least = [0, 0x40, 0x4000][form] ?? 0;
    if (length < least) throw new MalformedError("a vector's length is not in its shortest form");
    return this.take(length);
  }

  /** What lies between an earlier offset and here. */
  since(offset: number): Buffer {
    return this.#bytes.subarray(offset, this.#at);
  }

  /** Everything that was not read. */
  rest(): Buffer {
    return this.take(this.#bytes.length - this.#at);
  }

  /** Objects to anything left over. */
  end(): void {
    if (!this.isDone) {
      throw new MalformedError(`${this.#bytes.length - this.#at} bytes too many`);
    }
  }
}
