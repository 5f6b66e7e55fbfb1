#!/usr/bin/env python3
"""Drives a player node through all ops, with Python's standard library alone.

The first half is just enough of a WebSocket client; a real bot takes a library for it, as op-client.py does. The second
half is the op protocol.
What it leaves out: a main gateway. The credentials of a voice channel come as JSON on standard input, in the form that
`cadenza simulate` prints them:

    cadenza simulate > room.json &
    CADENZA_PASSWORD=correct-horse python3 op-client-stdlib.py ws://127.0.0.1:2333/v1/ws /srv/music/song.ogg < room.json
"""

import base64, json, math, os, socket, struct, sys, urllib.parse


class Node:
    """A connection to the node: ops out, events in."""

    def __init__(self, url, password, user_id):
        at = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((at.hostname, at.port), timeout=30)
        self.stream = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        headers = {"Host": at.netloc, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                   "Sec-WebSocket-Key": key, "Authorization": password, "User-Id": user_id, "Client-Name": "op-client-stdlib.py"}
        lines = [f"GET {at.path or '/'} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        status = self.stream.readline().decode().strip()
        while self.stream.readline().strip():
            pass
        if " 101 " not in status:
            raise SystemExit(f"refused: {status}")

    def frame(self, opcode, payload):
        """Sends a frame; those of clients are masked."""
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)

    def event(self):
        """The next event; pings are answered on the way."""
        while True:
            first, size = self.stream.read(2)
            if size == 126:
                (size,) = struct.unpack("!H", self.stream.read(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self.stream.read(8))
            payload = self.stream.read(size)
            if first & 15 == 1:
                return json.loads(payload)["d"]
            if first & 15 == 9:
                self.frame(10, payload)
            if first & 15 == 8:
                raise SystemExit(f"closed: {struct.unpack('!H', payload[:2])[0]}")

    def until(self, **expected):
        """Prints events up to the first that has all of these members."""
        while True:
            event = self.event()
            print(json.dumps(event))
            if event["type"] == "error":
                raise SystemExit(event["message"])
            if all(event.get(name) == value for name, value in expected.items()):
                return event

    def ask(self, op, **d):
        """Sends an op and waits for its answer."""
        self.frame(1, json.dumps({"op": op, "d": d, "id": op}).encode())
        return self.until(type="done", id=op).get("result")


def main(url, track):
    room = json.load(sys.stdin)["credentials"]
    guild = room["guildId"]
    node = Node(url, os.environ["CADENZA_PASSWORD"], room["userId"])
    node.until(type="ready")
    node.ask("voice_update", guild_id=guild, channel_id=room["channelId"], session_id=room["sessionId"],
             token=room["token"], endpoint=room["endpoint"])
    found = node.ask("load_tracks", query=track)["tracks"][0]
    node.ask("play", guild_id=guild, track_id=found["track_id"], start_time=0, end_time=0, replace=True)
    node.until(type="track_start")
    node.ask("set_pause_state", guild_id=guild, state=True)
    node.ask("set_pause_state", guild_id=guild, state=False)
    node.ask("set_position", guild_id=guild, position=1000)
    node.ask("set_volume", guild_id=guild, volume=80)
    node.ask("set_filter", guild_id=guild, filters={"timescale": {"speed": 1.1}, "low_pass": {"smoothing": 20}})
    node.ask("get_player", guild_id=guild)
    node.ask("list_players")
    node.ask("push", guild_id=guild, format="s16le", sample_rate=48000, channels=2, track_id="a tone")
    node.until(type="push_wanted")
    second = (round(8000 * math.sin(math.tau * 440 * at / 48000)) for at in range(48000))
    sound = b"".join(struct.pack("<2h", sample, sample) for sample in second)
    for at in range(0, len(sound), 48000):  # Binary messages: a head of 10 bytes, and sound.
        node.frame(2, struct.pack("!BBQ", 1, 0, int(guild)) + sound[at:at + 48000])
    node.ask("push_end", guild_id=guild)
    node.until(type="track_end", reason="finished")
    node.ask("play", guild_id=guild, track_id=found["track_id"])
    node.ask("stop", guild_id=guild)
    node.until(type="track_end", reason="stopped")
    node.ask("destroy", guild_id=guild)


if __name__ == "__main__":
    main(*sys.argv[1:])
