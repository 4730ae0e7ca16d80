package roster

import "slices"

// Filter says which clients CLIENT LIST shows. The zero value shows all.
type Filter struct {
	// IDs are those that CLIENT LIST ID names, as it names them; nil means every
	// client. Redis shows them in this order, one that is named twice twice, and
	// passes over those that there are not. An id that was negative is beyond any
	// client's.
	IDs []uint64

	ascending []uint64
	byKind    bool
	kind      Kind
}

// ParseList reads CLIENT LIST [TYPE type | ID id [id ...]] (Redis 7.0 networking.c
// clientCommand). With an error text the Filter is of no use.
func ParseList(args [][]byte) (f Filter, errText string) {
	switch {
	case len(args) < 2:
		return Filter{}, errArity("client|list")
	case len(args) == 2:
		return Filter{}, ""
	case len(args) == 4 && is(args[2], "type"):
		kind, ok := ParseKind(args[3])
		if !ok {
			return Filter{}, errKind(args[3])
		}
		return Filter{byKind: true, kind: kind}, ""
	case len(args) > 3 && is(args[2], "id"):
		return parseIDs(args[3:])
	}
	return Filter{}, errSyntax
}

func parseIDs(args [][]byte) (f Filter, errText string) {
	f.IDs = make([]uint64, len(args))
	for i, arg := range args {
		id, ok := integer(arg)
		if !ok {
			return Filter{}, errListID
		}
		f.IDs[i] = uint64(id)
	}
	f.ascending = f.IDs
	if !slices.IsSorted(f.IDs) {
		f.ascending = slices.Sorted(slices.Values(f.IDs))
	}
	return f, ""
}

// Match says whether CLIENT LIST shows c. Its cost does not grow with the number of
// clients, and hardly with that of the ids: who asks it about every client shows each
// at most once and in the order of asking, whatever a client has sent.
func (f Filter) Match(c *Client) bool {
	if f.byKind {
		return c.kind() == f.kind
	}
	if f.IDs == nil {
		return true
	}
	_, found := slices.BinarySearch(f.ascending, c.ID)
	return found
}
