/** Each part of a connection replaced alone: gateway, UDP connection, sender, receiver; the others stay the library's. */

import test from "ava";
import { VoiceGateway } from "../../ts/gateway/index.ts";
import type { AudioReceiver, ReceiverParts } from "../../ts/voice/audio-receiver.ts";
import type { AudioSender, SenderParts } from "../../ts/voice/audio-sender.ts";
import { openBench } from "./bench.ts";
import { DgramUdp } from "./dgram-udp.ts";

const FRAME = Uint8Array.of(0xfc, 1, 2, 3);

test("a gateway of the user's own is asked for everything", async (t) => {
  const made: VoiceGateway[] = [];
  await using bench = await openBench({
    manager: {
      factories: {
        gateway: (parts) => {
          const gateway = new VoiceGateway(parts);
          made.push(gateway);
          return gateway;
        },
      },
    },
  });
  await bench.connection.join(bench.channelId);
  t.deepEqual(
    made.map((gateway) => gateway === bench.connection.gateway && gateway.status),
    ["ready"],
  );
});

test("a UDP connection of the user's own carries what a provider gives, paced by a timer", async (t) => {
  const udp = new DgramUdp();
  await using bench = await openBench({
    simulator: { modes: ["aead_aes256_gcm_rtpsize"] },
    manager: { factories: { udp: () => udp } },
  });
  await bench.connection.join(bench.channelId);
  t.is(bench.connection.udp, udp);
  t.deepEqual(udp.externalAddress?.address, "127.0.0.1");
  const frames = Array.from({ length: 30 }, (_, at) => Uint8Array.of(0xfc, at));
  let closed = 0;
  const end = new Promise<void>((resolve) => {
    bench.connection.setOpusFrameProvider({
      provideOpusFrame: () => frames.shift() ?? null,
      close: () => {
        closed += 1;
        resolve();
      },
    });
  });
  t.true(await bench.listener.waitFor(({ packets }) => packets.length === 35));
  const heard = bench.listener.packets.map(({ opus }) => opus[1]);
  t.deepEqual(
    heard.slice(0, 30),
    Array.from({ length: 30 }, (_, at) => at),
  );
  t.true(bench.listener.packets.slice(30).every(({ silence }) => silence));
  await end;
  t.is(closed, 1);
  t.is(bench.connection.gateway.speaking, 0);
  await bench.connection.destroy();
  t.deepEqual([udp.counts.opened, udp.counts.closed], [1, 1]);
});

test("a new session opens the user's UDP connection anew", async (t) => {
  const udp = new DgramUdp();
  await using bench = await openBench({
    simulator: { modes: ["aead_aes256_gcm_rtpsize"] },
    manager: { factories: { udp: () => udp } },
  });
  await bench.connection.join(bench.channelId);
  bench.connection.setOpusFrameProvider({ provideOpusFrame: () => FRAME });
  t.true(await bench.hears(10));
  bench.simulator.faults.refuseResume();
  bench.simulator.faults.cutSocket(bench.guildId);
  await bench.reached("unconnected");
  await bench.reached("ready");
  t.true(await bench.hears(10));
  t.is(udp.counts.opened, 2);
});

test("a sender of the user's own gets the provider, is opened once and closed when another comes", async (t) => {
  const log: string[] = [];
  const provider = { provideOpusFrame: () => FRAME };
  const create = (parts: SenderParts): AudioSender => {
    t.is(parts.provider, provider);
    return { open: () => log.push("open"), close: () => log.push("close") };
  };
  await using bench = await openBench({ manager: { factories: { sender: create } } });
  bench.connection.setOpusFrameProvider(provider);
  bench.connection.setOpusFrameProvider(provider);
  bench.connection.setOpusFrameProvider(undefined);
  t.deepEqual(log, ["open", "close", "open", "close"]);
  bench.connection.setOpusFrameProvider(provider);
  await bench.connection.destroy();
  t.deepEqual(log.slice(4), ["open", "close"]);
});

test("a receiver of the user's own is opened, told of users who leave, and closed", async (t) => {
  const log: string[] = [];
  const receiver = { receiveOpusFrame: () => undefined };
  const create = (parts: ReceiverParts): AudioReceiver => {
    t.is(parts.receiver, receiver);
    return {
      open: () => log.push("open"),
      cleanupUser: (userId) => log.push(`cleanup ${userId}`),
      close: () => log.push("close"),
    };
  };
  await using bench = await openBench({ manager: { factories: { receiver: create } } });
  await bench.connection.join(bench.channelId);
  bench.connection.setOpusFrameReceiver(receiver);
  const member = bench.simulator.member({ guildId: bench.guildId, channelId: bench.channelId });
  const announced = new Promise<void>((resolve) =>
    bench.connection.on("peer", ({ kind }) => kind === "speaking" && resolve()),
  );
  member.announce();
  await announced;
  t.is(bench.connection.userIdBySsrc(member.ssrc), member.userId);
  const { ssrc } = member;
  const gone = new Promise<void>((resolve) =>
    bench.connection.on("peer", ({ kind }) => kind === "client_disconnect" && resolve()),
  );
  member.leave();
  await gone;
  t.is(bench.connection.userIdBySsrc(ssrc), undefined);
  await bench.connection.destroy();
  t.deepEqual(log, ["open", `cleanup ${member.userId}`, "close"]);
});

test("a sender that is closed before it was opened tells its provider, and nothing else happens", async (t) => {
  let closed = 0;
  await using bench = await openBench();
  const provider = {
    provideOpusFrame: () => FRAME,
    close: () => {
      closed += 1;
      throw new Error("a goodbye that fails concerns nobody");
    },
  };
  bench.connection.setOpusFrameProvider(provider);
  await bench.connection.destroy();
  bench.connection.setOpusFrameProvider(undefined);
  t.is(closed, 1);
});
