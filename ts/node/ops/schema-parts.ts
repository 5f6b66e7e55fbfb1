/** Pieces that the schemas of ops and events share. */

import { Type } from "typebox";

/** An id of Discord. */
export const id = (description: string) =>
  Type.String({ pattern: "^[1-9][0-9]{0,19}$", description });

/** The guild that a message is about. */
export const guild_id = id("The guild.");

/** A text or null. */
export const nullable = (description: string) =>
  Type.Union([Type.String(), Type.Null()], { description });

/** A number from 0 on, or null. */
export const nullableNumber = (description: string) =>
  Type.Union([Type.Number({ minimum: 0 }), Type.Null()], { description });

/** A number from 0 on. */
export const amount = (description: string) => Type.Number({ minimum: 0, description });

/** A whole number from 0 on. */
export const count = (description: string) => Type.Integer({ minimum: 0, description });
