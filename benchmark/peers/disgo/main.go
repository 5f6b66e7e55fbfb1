// Disgo's voice package, driven by the benchmark: a voice.Conn per call with its default audio sender, which asks a
// provider for Opus frames. It speaks lines of JSON with the harness, as the other senders do.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/disgo/voice"
	"github.com/disgoorg/snowflake/v2"
)

// Joins under way at the same time.
const joins = 50

const userID = snowflake.ID(99999999)

type config struct {
	Calls    int    `json:"calls"`
	Work     string `json:"work"`
	Endpoint string `json:"endpoint"`
	Frames   string `json:"frames"`
}

// provider plays the same frames again and again.
type provider struct {
	frames [][]byte
	next   int
}

func (p *provider) ProvideOpusFrame() ([]byte, error) {
	frame := p.frames[p.next%len(p.frames)]
	p.next++
	return frame, nil
}

func (p *provider) Close() {}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	if len(os.Args) < 2 {
		return fmt.Errorf("usage: disgo-sender CONFIG")
	}
	var settings config
	if err := json.Unmarshal([]byte(os.Args[1]), &settings); err != nil {
		return err
	}
	frames, err := readFrames(settings.Frames)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	fmt.Println(`{"loaded":true}`)
	if !lines.Scan() {
		return nil
	}
	conns, err := joinAll(settings)
	if err != nil {
		return err
	}
	if settings.Work == "play" {
		for _, conn := range conns {
			conn.SetOpusFrameProvider(&provider{frames: frames})
		}
	}
	fmt.Println(`{"ready":true}`)
	for lines.Scan() {
	}
	return nil
}

func joinAll(settings config) ([]voice.Conn, error) {
	conns := make([]voice.Conn, settings.Calls)
	calls := make(chan int)
	failures := make(chan error, settings.Calls)
	var workers sync.WaitGroup
	for range joins {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for call := range calls {
				conn, err := join(settings.Endpoint, call)
				if err != nil {
					failures <- err
				}
				conns[call-1] = conn
			}
		}()
	}
	for call := 1; call <= settings.Calls; call++ {
		calls <- call
	}
	close(calls)
	workers.Wait()
	select {
	case err := <-failures:
		return nil, err
	default:
		return conns, nil
	}
}

// join opens one connection; what a main gateway would tell comes at once.
func join(endpoint string, call int) (voice.Conn, error) {
	guild := snowflake.ID(call)
	var conn voice.Conn
	update := func(_ context.Context, _ snowflake.ID, channel *snowflake.ID, _ bool, _ bool) error {
		conn.HandleVoiceStateUpdate(gateway.EventVoiceStateUpdate{VoiceState: discord.VoiceState{
			GuildID:   guild,
			ChannelID: channel,
			UserID:    userID,
			SessionID: fmt.Sprintf("session-%d", call),
		}})
		if channel != nil {
			conn.HandleVoiceServerUpdate(gateway.EventVoiceServerUpdate{
				Token:    fmt.Sprintf("token-%d", call),
				GuildID:  guild,
				Endpoint: &endpoint,
			})
		}
		return nil
	}
	conn = voice.NewConn(guild, userID, update, func() {})
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	return conn, conn.Open(ctx, snowflake.ID(1_000_000+call), false, false)
}

func readFrames(path string) ([][]byte, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var frames [][]byte
	for len(file) >= 2 {
		length := int(binary.LittleEndian.Uint16(file))
		if len(file) < 2+length {
			break
		}
		frames = append(frames, file[2:2+length])
		file = file[2+length:]
	}
	if len(frames) == 0 {
		return nil, fmt.Errorf("%s holds no frames", path)
	}
	return frames, nil
}
