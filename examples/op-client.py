#!/usr/bin/env python3
"""Drives a player node through all ops. Needs `pip install websockets`; op-client-stdlib.py does the same without it.
What it leaves out: a main gateway. The credentials of a voice channel are those that `cadenza simulate` prints:

    cadenza simulate > room.json &
    CADENZA_PASSWORD=correct-horse python3 op-client.py ws://127.0.0.1:2333/v1/ws /srv/music/song.ogg < room.json
"""
import json, os, struct, sys
from websockets.sync.client import connect

url, song = sys.argv[1:]
room = json.load(sys.stdin)["credentials"]
headers = {"Authorization": os.environ["CADENZA_PASSWORD"], "User-Id": room["userId"]}
with connect(url, additional_headers=headers) as node:
    def ask(op, until="done", **d):
        node.send(json.dumps({"op": op, "d": {"guild_id": room["guildId"], **d}}))
        for event in (json.loads(text)["d"] for text in node):
            print(json.dumps(event))
            assert event["type"] != "error", event
            if event["type"] == until:
                return event

    ask("voice_update", channel_id=room["channelId"], session_id=room["sessionId"], token=room["token"], endpoint=room["endpoint"])
    track = ask("load_tracks", query=song)["result"]["tracks"][0]
    ask("play", until="track_start", track_id=track["track_id"])
    ask("set_pause_state", state=True)
    ask("set_pause_state", state=False)
    ask("set_position", position=1000)
    ask("set_volume", volume=80)
    ask("set_filter", filters={"timescale": {"speed": 1.1}, "low_pass": {"smoothing": 20}})
    ask("get_player")
    ask("list_players")
    ask("stop", until="track_end")
    ask("push", until="push_wanted", format="s16le")
    node.send(struct.pack(">BBQ", 1, 0, int(room["guildId"])) + bytes(48_000))  # A quarter of a second of silence.
    ask("push_end", until="track_end")
    ask("destroy")
