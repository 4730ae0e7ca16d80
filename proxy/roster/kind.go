package roster

// Kind is a client's class, by which CLIENT LIST and CLIENT KILL select (Redis 7.0
// networking.c getClientType).
type Kind uint8

// The kinds. A client that runs MONITOR is a normal one.
const (
	KindNormal Kind = iota
	KindMaster
	KindReplica
	KindPubSub
)

// String returns the word for k in CLIENT LIST TYPE.
func (k Kind) String() string {
	return [...]string{"normal", "master", "replica", "pubsub"}[min(k, KindPubSub)]
}

// ParseKind reads TYPE's word in any case; Redis takes slave for replica (Redis 7.0
// networking.c getClientTypeByName).
func ParseKind(word []byte) (k Kind, ok bool) {
	switch {
	case is(word, "normal"):
		return KindNormal, true
	case is(word, "master"):
		return KindMaster, true
	case is(word, "replica"), is(word, "slave"):
		return KindReplica, true
	case is(word, "pubsub"):
		return KindPubSub, true
	}
	return KindNormal, false
}
