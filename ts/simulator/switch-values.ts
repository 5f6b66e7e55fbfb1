/** Values of switches as text: each parser says what it takes, and throws for anything else. */

/** Reads one kind of value. */
export interface Parser<T> {
  /** The form, for help. */
  form: string;
  /** @throws RangeError when the value does not fit. */
  parse: (value: string | undefined) => T;
}

/** On, unless it is "off". */
export const flag: Parser<boolean> = {
  form: "[on|off]",
  parse: (value = "on") => oneOf(["on", "off"], value) === "on",
};

/** Takes no value. */
export const nothing: Parser<undefined> = {
  form: "",
  parse: (value) => {
    if (value !== undefined) throw new RangeError("no value is taken");
    return undefined;
  },
};

/** A share between 0 and 1. */
export const share: Parser<number> = {
  form: "0..1",
  parse: (value) => within(Number(given(value)), 0, 1),
};

/** Any text that is not empty. */
export function text(form: string): Parser<string> {
  return { form, parse: given };
}

/** A whole number in a range, both ends included. */
export function integer(min: number, max: number, form = `${min}..${max}`): Parser<number> {
  return {
    form,
    parse: (value) => {
      const number = within(Number(given(value)), min, max);
      if (!Number.isInteger(number)) throw new RangeError("no whole number");
      return number;
    },
  };
}

/** A whole number from 0 up to ten million. */
export function whole(form: string): Parser<number> {
  return integer(0, 10_000_000, form);
}

/** One of some words. */
export function choice<const T extends string>(words: readonly T[]): Parser<T> {
  return { form: words.join("|"), parse: (value) => oneOf(words, given(value)) };
}

/** Two values with a colon between them. */
export function pair<One, Other>(one: Parser<One>, other: Parser<Other>): Parser<[One, Other]> {
  return {
    form: `${one.form}:${other.form}`,
    parse: (value) => {
      const [first, second, ...rest] = given(value).split(":");
      if (rest.length > 0) throw new RangeError("too many colons");
      return [one.parse(first), other.parse(second)];
    },
  };
}

function given(value: string | undefined): string {
  if (value === undefined || value.trim() === "") throw new RangeError("a value is missing");
  return value;
}

function within(number: number, min: number, max: number): number {
  if (!(number >= min && number <= max)) throw new RangeError("out of range");
  return number;
}

function oneOf<T extends string>(words: readonly T[], value: string): T {
  const word = words.find((known) => known === value);
  if (word === undefined) throw new RangeError("not one of the words");
  return word;
}
