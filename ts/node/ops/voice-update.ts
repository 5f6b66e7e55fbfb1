/** `voice_update`: the credentials of a call, as the bot's main gateway sent them. */

import { optionalSnowflake, snowflake, text, textOrNull } from "./fields.ts";
import type { Op } from "./op.ts";

export const voiceUpdate: Op<"voice_update"> = {
  parse: (fields) => {
    const channelId = optionalSnowflake(fields, "channel_id");
    return {
      guild_id: snowflake(fields, "guild_id"),
      session_id: text(fields, "session_id"),
      token: text(fields, "token"),
      endpoint: textOrNull(fields, "endpoint"),
      ...(channelId === undefined ? {} : { channel_id: channelId }),
    };
  },
  apply: (d, players) => players.open(d.guild_id).connect(d),
};
