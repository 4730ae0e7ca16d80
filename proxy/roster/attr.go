package roster

// Attr is what CLIENT SETINFO sets.
type Attr uint8

// The attributes.
const (
	LibName Attr = iota
	LibVer
)

// ParseSetInfo reads CLIENT SETINFO LIB-NAME|LIB-VER value (Redis 7.2 networking.c
// clientSetinfoCommand). An empty value takes the attribute away.
func ParseSetInfo(args [][]byte) (attr Attr, value string, errText string) {
	if len(args) != 4 {
		return 0, "", errArity("client|setinfo")
	}
	switch {
	case is(args[2], "lib-name"):
		attr = LibName
	case is(args[2], "lib-ver"):
		attr = LibVer
	default:
		return 0, "", fault("Unrecognized option '", args[2], "'")
	}
	shown := cString(args[3])
	if !ValidName(shown) {
		return 0, "", fault("", args[2], " cannot contain spaces, newlines or special characters.")
	}
	return attr, string(shown), ""
}

// ValidName says whether CLIENT SETNAME and HELLO take a name: printable ASCII
// without blanks, or "", which takes the name away (Redis 7.0 networking.c
// clientSetName).
func ValidName(name []byte) bool {
	for _, c := range name {
		if c < '!' || c > '~' {
			return false
		}
	}
	return true
}
