package proxy

import (
	"bytes"
	"fmt"
	"strconv"

	"steadis/proxy/command"
)

// INFO is the master's, but for two things: connected_clients is the number of
// steadis' clients, as CLIENT LIST shows them, and a section # Steadis is added when
// everything or that is asked for.

// withSteadis adds steadis' own to the reply to INFO. s.mu must be held.
func (s *Session) withSteadis(r *request, frame []byte) []byte {
	if len(frame) == 0 || frame[0] != '$' && frame[0] != '=' {
		return frame
	}
	i := bytes.IndexByte(frame, '\n') + 1
	head, body := frame[:i], frame[i:]
	if !bytes.HasSuffix(body, []byte("\r\n")) || head[1] == '-' {
		return frame
	}
	body = body[:len(body)-2]
	masters, body := replaceField(body, "connected_clients:", s.server.clients())
	if wantsSteadis(r.args) {
		body = append(bytes.Clone(body), s.server.infoSection(len(bytes.TrimPrefix(body, []byte("txt:"))) > 0, masters)...)
	}
	out := append(strconv.AppendInt([]byte{head[0]}, int64(len(body)), 10), "\r\n"...)
	return append(append(out, body...), "\r\n"...)
}

// wantsSteadis says whether INFO's arguments ask for everything, or for steadis.
func wantsSteadis(args [][]byte) bool {
	for _, section := range args[1:] {
		for _, name := range []string{"all", "everything", "default", "steadis"} {
			if command.Is(section, name) {
				return true
			}
		}
	}
	return len(args) == 1
}

// replaceField puts n where text has a number after name, and returns the former one,
// "" if there is none.
func replaceField(text []byte, name string, n int) (former string, replaced []byte) {
	i := bytes.Index(text, []byte("\n"+name))
	if i < 0 {
		return "", text
	}
	i += len("\n" + name)
	j := bytes.IndexByte(text[i:], '\r')
	if j < 0 {
		return "", text
	}
	return string(text[i : i+j]), append(strconv.AppendInt(bytes.Clone(text[:i]), int64(n), 10), text[i+j:]...)
}

// infoSection is the section that steadis adds. masters is what the master has said of
// its own connected_clients, "" if it was not asked.
func (s *Server) infoSection(behind bool, masters string) string {
	st, counts := s.State(), s.hold.Counts()
	text := ""
	if behind {
		text = "\r\n"
	}
	text += fmt.Sprintf("# Steadis\r\nsteadis_version:%s\r\nsteadis_phase:%s\r\nsteadis_master:%s\r\nsteadis_generation:%d\r\nsteadis_epoch:%d\r\n"+
		"steadis_clients:%d\r\nsteadis_hold_waiting:%d\r\nsteadis_hold_commands_total:%d\r\nsteadis_uptime_in_seconds:%d\r\n",
		s.o.Version, st.Phase, st.Master, st.Generation, st.Epoch, s.clients(), counts.Waiting, counts.Held, int(s.now().Sub(s.started).Seconds()))
	if masters != "" {
		text += "steadis_master_connected_clients:" + masters + "\r\n"
	}
	return text
}
