/** Values of the op protocol that code needs as well as types. */

/** What pushed sound can be. */
export const PUSH_FORMATS = ["opus", "s16le", "f32le"] as const;
