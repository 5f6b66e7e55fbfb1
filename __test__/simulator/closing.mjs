// Starts a simulator, leaves a session to be resumed and audio held back, closes; the process has to end by itself.

import { DiscordSimulator } from "../../ts/simulator/index.ts";
import { Client, PLACE } from "./client.ts";

const simulator = await DiscordSimulator.start();
const listener = simulator.listen(PLACE);
void listener.waitFor(() => false, 3_600_000);
simulator.faults.helloDelayMs = 0;
const client = new Client(simulator.admit({ ...PLACE, userId: "1" }));
await client.connect("aead_aes256_gcm_rtpsize", 0);
client.sendDatagram(client.seal(Buffer.from([0xfc])));
client.gateway.socket.terminate();
await listener.waitFor(() => simulator.sessions()[0]?.isConnected === false);
await simulator.close();
