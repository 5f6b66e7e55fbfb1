#!/bin/sh
# Makes the small media files in crates/audio/tests/fixtures with ffmpeg: one chord, every format.
#
# The chord is the one of `music_at` in crates/audio/tests/support/mod.rs, so that tests can compare
# what they hear with the formula. Run it from anywhere; it needs ffmpeg with libmp3lame, libvorbis
# and libopus. Files are at most 2 seconds long and below 30 KB each.
set -eu

out="$(dirname "$0")/../crates/audio/tests/fixtures"
mkdir -p "$out"
swell='(0.6+0.4*sin(2*PI*1.5*t))'
left="$swell*(0.30*sin(2*PI*220*t)+0.15*sin(2*PI*440*t)+0.08*sin(2*PI*1320*t))+0.05*sin(2*PI*3520*t)"
right="$swell*(0.30*sin(2*PI*277.2*t)+0.15*sin(2*PI*554.4*t)+0.08*sin(2*PI*1663.2*t))+0.05*sin(2*PI*4434.9*t)"

# make NAME RATE CHANNELS SECONDS ENCODER-OPTIONS...
make() {
  name=$1 rate=$2 channels=$3 seconds=$4
  shift 4
  if [ "$channels" = 1 ]; then exprs=$left layout=mono; else exprs="$left|$right" layout=stereo; fi
  ffmpeg -v error -y -f lavfi -i "aevalsrc=exprs=$exprs:channel_layout=$layout:sample_rate=$rate:duration=$seconds" \
    -map_metadata -1 -fflags +bitexact -flags:a +bitexact "$@" "$out/$name"
}

make stereo-44100.mp3 44100 2 2 -c:a libmp3lame -b:a 96k -write_id3v2 1
make mono-48000.mp3 48000 1 2 -c:a libmp3lame -q:a 4 -write_xing 1
make stereo-44100.ogg 44100 2 2 -c:a libvorbis -q:a 4 -page_duration 200000
make mono-48000.ogg 48000 1 2 -c:a libvorbis -q:a 3
make stereo-44100.m4a 44100 2 2 -c:a aac -aac_coder fast -b:a 96k
make stereo-48000-faststart.m4a 48000 2 2 -c:a aac -aac_coder fast -b:a 96k -movflags +faststart
make mono-44100.flac 44100 1 1 -c:a flac -sample_fmt s16 -compression_level 8 -lpc_type cholesky
make stereo-48000.flac 48000 2 0.4 -c:a flac -sample_fmt s16 -compression_level 8 -lpc_type cholesky
make mono-44100-flac.mka 44100 1 0.6 -c:a flac -sample_fmt s16 -compression_level 8 -lpc_type cholesky
make stereo-20ms.opus 48000 2 1.2 -c:a libopus -b:a 96k -page_duration 200000
make mono-20ms.opus 48000 1 2 -c:a libopus -b:a 48k
make stereo-10ms.opus 48000 2 1 -c:a libopus -b:a 64k -frame_duration 10
make stereo-60ms.opus 48000 2 1.2 -c:a libopus -b:a 64k -frame_duration 60
make mono-60ms-voice.opus 48000 1 2 -c:a libopus -b:a 16k -frame_duration 60 -application voip -cutoff 8000
# The same packets in another container, so that passing through can be compared byte for byte.
copy() {
  ffmpeg -v error -y -i "$out/$1" -map_metadata -1 -fflags +bitexact -c copy -cluster_time_limit 300 "$out/$2"
}
copy stereo-20ms.opus stereo-20ms.webm
copy mono-20ms.opus mono-20ms.mka
copy stereo-20ms.opus stereo-20ms.mp4
make stereo-vorbis.webm 44100 2 2 -c:a libvorbis -q:a 3
make mono-48000.oga 48000 1 1 -c:a flac -sample_fmt s16 -compression_level 8 -lpc_type cholesky -f ogg
make stereo-44100.aac 44100 2 2 -c:a aac -aac_coder fast -b:a 96k -f adts
make stereo-44100-fragmented.mp4 44100 2 2 -c:a aac -aac_coder fast -b:a 96k \
  -movflags +frag_keyframe+delay_moov+default_base_moof -frag_duration 400000
make mono-44100-alac.m4a 44100 1 0.6 -c:a alac -sample_fmt s16p -movflags +faststart
make mono-44100.aiff 44100 1 0.4 -c:a pcm_s16be -f aiff
make mono-44100.caf 44100 1 0.6 -c:a alac -sample_fmt s16p -f caf
make mono-32000-pcm.caf 32000 1 0.4 -c:a pcm_s16be -f caf
make mono-32000-ima.wav 32000 1 1 -c:a adpcm_ima_wav
make mono-32000-ms.wav 32000 1 1 -c:a adpcm_ms
make mono-32000-64bit.wav 32000 1 0.4 -c:a pcm_s16le -rf64 always
make stereo-48000.mp2 48000 2 0.8 -c:a mp2 -b:a 192k
make stereo-44100.ts 44100 2 1 -c:a aac -aac_coder fast -b:a 96k -f mpegts
make stereo-48000-layer2.ts 48000 2 0.8 -c:a mp2 -b:a 192k -f mpegts
# HE-AAC needs an encoder that few systems have. In he-stereo-44100.m4a and he-v2-44100.aac the left side hisses too, so that
# there is something above the middle of the band; the configuration of the former announces band replication (2b 92 08 00).
if command -v fdkaac >/dev/null; then
  he() { # NAME EXPRESSIONS OPTIONS...
    name=$1 exprs=$2
    shift 2
    ffmpeg -v error -f lavfi -i "aevalsrc=exprs=$exprs:channel_layout=stereo:sample_rate=44100:duration=2" -f wav - |
      fdkaac --silent --ignorelength "$@" -o "$out/$name" -
  }
  hiss='+0.05*(random(0)-0.5)'
  he he-stereo-44100.aac "$left|$right" -p 5 -b 48000 -f 2
  he he-stereo-44100.m4a "$left$hiss|$right" -p 5 -b 48000
  he he-v2-44100.aac "$left$hiss|$right" -p 29 -b 24000 -f 2
fi
# Six channels (L R C LFE Ls Rs), each with a tone of its own.
ffmpeg -v error -y -f lavfi -i "aevalsrc=exprs=0.4*sin(2*PI*300*t)|0.4*sin(2*PI*500*t)|0.4*sin(2*PI*700*t)|0.4*sin(2*PI*60*t)|0.4*sin(2*PI*1100*t)|0.4*sin(2*PI*1300*t):channel_layout=5.1:sample_rate=48000:duration=1" \
  -map_metadata -1 -fflags +bitexact -flags:a +bitexact -c:a libopus -b:a 160k -mapping_family 1 "$out/surround.opus"
ffmpeg -v error -y -i "$out/surround.opus" -map_metadata -1 -fflags +bitexact -c copy "$out/surround.webm"

# HLS: the same two seconds in segments of half a second, in each form that segments come in.
hls="$out/hls"
rm -rf "$hls" && mkdir -p "$hls"
segments() {
  ffmpeg -v error -y -f lavfi -i "aevalsrc=exprs=$left|$right:channel_layout=stereo:sample_rate=44100:duration=2" \
    -map_metadata -1 -fflags +bitexact -flags:a +bitexact -c:a aac -aac_coder fast -b:a 48k "$@"
}
(
  cd "$hls"
  segments -f hls -hls_time 0.5 -hls_playlist_type vod -hls_segment_filename ts%d.ts ts.m3u8
  segments -f hls -hls_time 0.5 -hls_playlist_type vod -hls_segment_type fmp4 -hls_fmp4_init_filename init.mp4 \
    -hls_segment_filename fmp4-%d.m4s fmp4.m3u8
  # A key for tests, which protects nothing.
  printf '0123456789abcdef' > key.bin
  printf 'key.bin\nkey.bin\n' > key.info
  segments -f hls -hls_time 0.5 -hls_playlist_type vod -hls_key_info_file key.info \
    -hls_segment_filename encrypted%d.ts encrypted.m3u8
  segments -f segment -segment_time 0.5 -segment_format adts -segment_list packed.m3u8 packed%d.aac
  rm key.info
)
ls -lR "$out"
