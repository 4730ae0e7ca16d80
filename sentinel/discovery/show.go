package discovery

import (
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"steadis/sentinel/node"
	"steadis/sentinel/topology"
)

// complainAfter is how long a complaint must stand to be logged.
const complainAfter = time.Second

func endpoint(addresses []string) string { return strings.Join(addresses, ",") }

func join(addresses []string) string { return strings.Join(addresses, ", ") }

// show publishes the view if it has changed.
func (s *state) show(now time.Time) {
	v := topology.View{Master: s.followed, Epoch: s.epoch, Generation: s.generation}
	switch {
	case s.generation == 0:
		v.Phase, v.Reason = topology.Unknown, s.unknown()
	case s.hold != nil:
		v.Phase, v.Reason = topology.Holding, s.hold.reason
	default:
		v.Phase, v.Reason = topology.Serving, s.serving
	}
	v.Since = s.view.Since
	if v.Phase != s.view.Phase || v.Generation != s.view.Generation {
		v.Since = now
	}
	if v != s.view {
		s.view = v
		s.emit(publish{v})
	}
}

// unknown says why there is no master.
func (s *state) unknown() string {
	if len(s.record) == 0 {
		if s.whyNot != "" {
			return fmt.Sprintf("%s cannot be resolved: %s", s.endpoint, s.whyNot)
		}
		return "asking where " + s.endpoint + " leads to"
	}
	var says []string
	masters := 0
	for _, addr := range s.record {
		m := s.nodes[addr]
		if m == nil || m.said.Role == node.Unasked {
			return "asking " + addr + " what it is"
		}
		if m.said.Role == node.Master {
			masters++
		}
		text := addr + ": " + m.said.Role.String()
		if m.said.Role == node.Silent || m.said.Role == node.CannotSay {
			text += " (" + m.said.Detail + ")"
		}
		says = append(says, text)
	}
	if masters > 1 {
		return fmt.Sprintf("%d nodes say that they are the master, and one must: %s", masters, join(says))
	}
	return "nobody says that it is the master: " + join(says)
}

// complain logs what keeps the master from being known, once it has stood for a while.
func (s *state) complain(now time.Time) {
	complaint := ""
	switch {
	case s.generation == 0:
		complaint = s.unknown()
	case s.whyNot != "":
		complaint = fmt.Sprintf("%s cannot be resolved: %s; the last answer stands", s.endpoint, s.whyNot)
	default:
		if also := s.candidates(now); len(also) > 1 || len(also) == 1 && s.nodes[s.followed].said.Role == node.Master {
			complaint = "others say that they are the master as well, and are not followed: " + join(also)
		}
	}
	if complaint != s.complaint {
		s.complaint, s.complaintSince = complaint, now
	}
	if s.complaint == s.logged || s.complaint != "" && now.Sub(s.complaintSince) < complainAfter {
		return
	}
	s.logged = s.complaint
	if s.complaint == "" {
		s.log(zapcore.InfoLevel, "the complaint is over", zap.String("master", s.followed))
		return
	}
	s.log(zapcore.WarnLevel, "discovery", zap.String("why", s.complaint), zap.String("master", s.followed))
}
