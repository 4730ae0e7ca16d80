package topology

import (
	"fmt"
	"strings"
)

// filterTable is the name of the table of rules.
const filterTable = "steadis"

// filterScript gives the rules as input for nft. The bridge passes packets
// between hosts (forward) and between hosts and the client hosts, whose addresses
// are its own (input, output). The whole table is replaced in one transaction.
func filterScript(rules []rule) string {
	var b strings.Builder
	fmt.Fprintf(&b, "table bridge %s\ndelete table bridge %s\ntable bridge %s {\n", filterTable, filterTable, filterTable)
	b.WriteString("chain lost {\n")
	for _, r := range rules {
		fmt.Fprintf(&b, "ip saddr %s ip daddr %s %sdrop\n", r.from.IP, r.to.IP, chance(r.loss))
	}
	b.WriteString("}\n")
	for _, hook := range []string{"forward", "input", "output"} {
		fmt.Fprintf(&b, "chain %s { type filter hook %s priority 0; jump lost; }\n", hook, hook)
	}
	b.WriteString("}\n")
	return b.String()
}

// chance gives the condition that is true for a share of the packets.
func chance(share float64) string {
	if share >= 1 {
		return ""
	}
	return fmt.Sprintf("numgen random mod 1000 < %d ", int(share*1000))
}
