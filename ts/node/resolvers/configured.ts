/** The resolvers that the configuration asks for: an HTTP service first, then yt-dlp. */

import type { Logger } from "../../support/logger.ts";
import type { NodeConfig } from "../config-keys.ts";
import { HttpResolver } from "./http-resolver.ts";
import type { Resolver } from "./resolver.ts";
import { YtDlpResolver } from "./yt-dlp.ts";

/** Makes them. */
export function configuredResolvers(config: NodeConfig, logger: Logger): Resolver[] {
  const { resolver_url: url, resolver_authorization: authorization, yt_dlp: program } = config;
  const found: Resolver[] = [];
  if (url !== null) {
    found.push(new HttpResolver({ url, authorization: authorization ?? undefined }));
  }
  if (program !== null) {
    const { yt_dlp_concurrency: concurrency, yt_dlp_timeout_ms: timeoutMs } = config;
    found.push(new YtDlpResolver({ program, concurrency, timeoutMs, logger }));
  }
  return found;
}
