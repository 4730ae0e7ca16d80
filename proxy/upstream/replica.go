package upstream

import "bytes"

// A pool of replicas (Options.Replicas) takes any node that answers. That it says READONLY
// is no sign of a failover there.

// handshake is Identity.handshake, of a node that this pool takes.
func (p *Pool) handshake(id Identity, pinned bool) []step {
	steps := id.handshake(pinned)
	if p.o.Replicas {
		for i := range steps {
			if steps[i].args[0] == sayRole {
				steps[i].check = checkAnyRole
			}
		}
	}
	return steps
}

func checkAnyRole(_ *greeted, frame []byte) error {
	if frame[0] == '-' {
		return checkNode(frame)
	}
	return nil
}

var refusesWrites = [][]byte{[]byte("-READONLY "), []byte("-EXECABORT Transaction discarded because of: READONLY ")}

// verdictOn is what a frame that answers call says of the node.
func (c *Conn) verdictOn(call Call, frame []byte) verdict {
	if c.replica && frame[0] == '-' {
		for _, text := range refusesWrites {
			if bytes.HasPrefix(frame, text) {
				return noVerdict
			}
		}
	}
	return verdictOn(call, frame)
}
